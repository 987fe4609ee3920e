"""`octomil-conformance record URL -o DIR`: write down what a server answers."""

import argparse
from pathlib import Path

from octomil_conformance.configure import from_options
from octomil_conformance.options import add_claims, add_folder, add_target, for_config


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    add_claims(parser)
    add_folder(parser, "-o", dest="folder", required=True)


def run(options: argparse.Namespace) -> int:
    from octomil_conformance.recordings import manifest, recorder
    from octomil_conformance.report.transcript import seen

    config = from_options(for_config(options), Path.cwd())
    manifest.make_folder(options.folder)
    exchanges = recorder.specimens(config)
    files = recorder.write(exchanges, options.folder)
    for file, exchange in zip(files, exchanges, strict=True):
        print(f"{file}: {seen(exchange)}")
    print(f"\nto judge them: octomil-conformance fixtures {options.folder}")
    return 0
