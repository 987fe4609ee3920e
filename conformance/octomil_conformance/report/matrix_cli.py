"""The command `octomil-conformance matrix`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from octomil_conformance.config import UsageError
from octomil_conformance.report.matrix import read_all
from octomil_conformance.report.matrix_html import matrix_page
from octomil_conformance.report.matrix_markdown import matrix_markdown

USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """0, or 2 when a report cannot be read: to compare is not to judge."""
    options = _parser().parse_args(arguments)
    try:
        columns = read_all(options.reports)
    except UsageError as ex:
        print(f"octomil-conformance matrix: {ex}", file=sys.stderr)
        return USAGE
    text = matrix_markdown(columns)
    print(text, end="")
    if options.html:
        options.html.write_text(matrix_page(columns), "utf-8")
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as file:
            file.write(text)
    return 0


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
