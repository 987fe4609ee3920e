"""The reports that the command line asks for, each into its file."""

import argparse

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
    for name, write in WRITERS.items():
        path = getattr(options, name)
        if path:
            write(run, path)
