"""The reports that the command line asks for, each into its file."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octomil_conformance.config import UsageError
from octomil_conformance.report.html_report import write_html
from octomil_conformance.report.machine import write_json, write_junit
from octomil_conformance.report.markdown import append_markdown
from octomil_conformance.run import Run

WRITERS = {
    "json": write_json,
    "junit": write_junit,
    "html": write_html,
    "markdown": append_markdown,
}
"""By the name of the option."""


def write_reports(run: Run, options: argparse.Namespace) -> None:
    """Folders are made where they are missing. Raises UsageError."""
    for name, write in WRITERS.items():
        path = getattr(options, name)
        if path:
            with writing(f"--{name}", path):
                write(run, path)


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as ex:
        raise UsageError(f"{option} {path}: {ex.strerror}") from ex
