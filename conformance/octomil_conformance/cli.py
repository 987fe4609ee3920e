"""The command `octomil-conformance`: a table of commands, each in a module of its own beside what it does.

Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault; 130 after Ctrl-C, 141
when nobody reads what it says.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from octomil_conformance import __version__, spec
from octomil_conformance.guard import COULD_NOT_TEST, guarded, say
from octomil_conformance.output import (
    flushed,
    forget_output,
    is_unwritten,
    open_output,
)

INTERRUPTED, NOBODY_READS = 130, 141
"""What a shell says of a command that such a signal has ended."""


@dataclass(frozen=True)
class Command:
    name: str
    module: str
    """With `add_options(parser)` and `run(options)`, which gives the exit code. Imported when the command is called, and not before."""
    sentence: str
    needs_checks: bool = False
    """And the packages that those need."""


COMMANDS = (
    Command("run", "run_cli", "judge the server at URL; the word run may be left out", True),
    Command("doctor", "doctor_cli", "say what stands between here and a run", True),
    Command("list", "spec.list_cli", "print every requirement"),
    Command("explain", "spec.explain_cli", "print one requirement and its checks"),
    Command("backend", "backend.cli", "run the scripted backend on its own"),
    Command("fixtures", "recordings.fixtures_cli", "judge recorded answers, without a server", True),
    Command("record", "recordings.record_cli", "write down what a server answers", True),
    Command("export", "corpus.cli", "write answers to test clients with"),
    Command("matrix", "report.matrix_cli", "set the --json reports of servers side by side", True),
    Command("serve", "server.cli", "run a server to test clients with"),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _with_command(list(sys.argv[1:] if argv is None else argv))
    open_output()
    try:
        with flushed():
            return _main(arguments)
    except OSError as ex:
        if not is_unwritten(ex):
            raise
        forget_output()
        if ex.errno == errno.EPIPE:
            return NOBODY_READS
        return say(f"cannot write: {ex.strerror}", COULD_NOT_TEST)
    except KeyboardInterrupt:
        print("\noctomil-conformance: interrupted", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)  # else checks in flight hold it up until their deadline


def _main(arguments: Sequence[str]) -> int:
    command = next((each for each in COMMANDS if [each.name] == arguments[:1]), None)
    if command is None:
        overview = _overview()
        overview.parse_args(arguments)
        overview.error("want a URL or a command")
    module = import_module(f"{__package__}.{command.module}")
    parser = argparse.ArgumentParser(
        f"octomil-conformance {command.name}", description=command.sentence
    )
    module.add_options(parser)
    options = parser.parse_args(arguments[1:])
    return guarded(module.run, options, command.needs_checks)


def _with_command(arguments: list[str]) -> list[str]:
    """A URL, or options with one among them, are for `run`."""
    first = arguments[0] if arguments else "-"
    if first.startswith("-"):
        is_run = first.startswith("--") and any("://" in word for word in arguments)
    else:
        is_run = first not in [each.name for each in COMMANDS]
    return ["run", *arguments] if is_run else arguments


def _overview() -> argparse.ArgumentParser:
    """The commands by their sentences. It parses what names none: --help, --version, or something wrong."""
    parser = argparse.ArgumentParser(
        "octomil-conformance",
        description=f"Judges a server of the Octomil Cloud Inference API by spec {spec.VERSION}.",
        epilog="Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault.",
    )
    version = f"{__version__}, spec {spec.VERSION}"
    parser.add_argument("--version", action="version", version=version)
    metavar = "|".join(("URL", *(each.name for each in COMMANDS)))
    commands = parser.add_subparsers(required=True, metavar=metavar)
    for each in COMMANDS:
        commands.add_parser(each.name, help=each.sentence)
    return parser
