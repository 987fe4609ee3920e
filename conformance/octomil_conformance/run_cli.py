"""`octomil-conformance URL`: judge a server. What needs the packages of the checks is imported when they are known to be there."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from octomil_conformance.config import CouldNotTest
from octomil_conformance.configure import from_options
from octomil_conformance.options import (
    add_claims,
    add_reports,
    add_target,
    for_config,
)

if TYPE_CHECKING:
    from octomil_conformance.run import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_claims(parser)
    add_reports(parser)


def run(options: argparse.Namespace) -> int:
    from octomil_conformance.catalogue import cost
    from octomil_conformance.report.console import Progress, header
    from octomil_conformance.report.files import require_files, write_not_tested
    from octomil_conformance.session import judge

    require_files(options)
    config = from_options(for_config(options), Path.cwd())
    print("\n".join(header(config, cost(config))), flush=True)
    progress = Progress()
    try:
        run = judge(config, progress)
    except CouldNotTest as ex:
        write_not_tested(str(ex), options)
        raise
    progress.end()
    return tell(run, options)


def tell(run: "Run", options: argparse.Namespace) -> int:
    """Every report that was asked for, and the exit code."""
    from octomil_conformance.report.console import Console
    from octomil_conformance.report.files import write_reports
    from octomil_conformance.run import EXIT_CODES

    print("\n".join(Console(run).lines()), flush=True)
    write_reports(run, options)
    return EXIT_CODES[run.conclusion()]
