"""Writes the reports that the command line asks for, each to its file."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octomil_conformance.config import UsageError
from octomil_conformance.report.html_report import write_html
from octomil_conformance.report.machine import write_json, write_junit
from octomil_conformance.report.markdown import append, append_markdown, not_tested
from octomil_conformance.run import Run

WRITERS = {
    "json": write_json,
    "junit": write_junit,
    "html": write_html,
    "markdown": append_markdown,
}
"""The writer of each report, by the name of its option."""


def require_files(options: argparse.Namespace) -> None:
    """Raises UsageError if a report could not be written. Called before the run."""
    for name in WRITERS:
        path = getattr(options, name)
        if path and path.is_dir():
            raise UsageError(f"--{name} {path}: Is a directory, expected a file")


def write_reports(run: Run, options: argparse.Namespace) -> None:
    """Writes every report that can be written. Makes missing folders. Raises UsageError for the other reports."""
    wrong = []
    for name, write in WRITERS.items():
        path = getattr(options, name)
        try:
            if path:
                with writing(f"--{name}", path):
                    write(run, path)
        except UsageError as ex:
            wrong.append(str(ex))
    if wrong:
        raise UsageError("\n".join(wrong))


def write_not_tested(reason: str, options: argparse.Namespace) -> None:
    """Writes the Markdown summary of a run that could not begin; other reports are not written. Raises UsageError."""
    if options.markdown:
        with writing("--markdown", options.markdown):
            append(not_tested(reason, options.token), options.markdown)


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as ex:
        raise UsageError(f"{option} {path}: {ex.strerror}") from ex
