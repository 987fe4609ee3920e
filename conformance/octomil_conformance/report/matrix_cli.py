"""The command `octomil-conformance matrix`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from octomil_conformance.config import UsageError
from octomil_conformance.report.files import writing
from octomil_conformance.report.markdown_parts import append
from octomil_conformance.report.matrix import Implementation, read_all
from octomil_conformance.report.matrix_html import matrix_page
from octomil_conformance.report.matrix_markdown import matrix_markdown

USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """0, or 2 when a report cannot be read or written: to compare is not to judge."""
    options = _parser().parse_args(arguments)
    try:
        _write(read_all(options.reports), options)
    except UsageError as ex:
        print(f"octomil-conformance matrix: {ex}", file=sys.stderr)
        return USAGE
    return 0


def _write(columns: Sequence[Implementation], options: argparse.Namespace) -> None:
    text = matrix_markdown(columns)
    print(text, end="")
    if options.html:
        with writing("--html", options.html):
            options.html.write_text(matrix_page(columns), "utf-8")
    if options.markdown:
        with writing("--markdown", options.markdown):
            append(text, options.markdown)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "octomil-conformance matrix",
        description="Sets reports of several servers side by side, requirement by requirement, in Markdown.",
    )
    parser.add_argument(
        "reports",
        nargs="+",
        metavar="[NAME=]FILE",
        help="a report written with --json; without a NAME its URL is the name",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page to look at, too"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="append the same Markdown, such as to $GITHUB_STEP_SUMMARY",
    )
    return parser
