"""The command `octomil-conformance matrix`."""

import argparse
from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """0 whatever the reports say: to compare is not to judge. Raises UsageError when one cannot be read or written."""
    from octomil_conformance.report.files import writing
    from octomil_conformance.report.markdown_parts import append
    from octomil_conformance.report.matrix import read_all
    from octomil_conformance.report.matrix_html import matrix_page
    from octomil_conformance.report.matrix_markdown import matrix_markdown

    columns = read_all(options.reports)
    text = matrix_markdown(columns)
    print(text, end="")
    if options.html:
        with writing("--html", options.html):
            options.html.write_text(matrix_page(columns), "utf-8")
    if options.markdown:
        with writing("--markdown", options.markdown):
            append(text, options.markdown)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Sets reports of several servers side by side, requirement by requirement, in Markdown."
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
