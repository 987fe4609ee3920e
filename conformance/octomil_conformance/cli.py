"""The command `octomil-conformance`.

Exit codes: 0 conformant in everything that was tested, 1 not, 2 wrong usage, 3 could not test, 4 a bug in the suite; 130 after Ctrl-C, 141
if the reader of the output has gone.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from octomil_conformance import __version__, spec
from octomil_conformance.commands import COMMANDS, Command, missing
from octomil_conformance.config import CannotListen, CouldNotTest, UsageError
from octomil_conformance.output import is_unwritten, printed
from octomil_conformance.report.redact import redact

PROGRAM = "octomil-conformance"
USAGE, COULD_NOT_TEST, SUITE_AT_FAULT, INTERRUPTED = 2, 3, 4, 130

EXTRA = "pip install 'octomil-ref[conformance]'"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _with_command(list(sys.argv[1:] if argv is None else argv))
    try:
        with printed(PROGRAM, COULD_NOT_TEST):
            return _main(arguments)
    except KeyboardInterrupt:
        print(f"\n{PROGRAM}: interrupted", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)  # otherwise running checks delay it until their deadline


def _main(arguments: Sequence[str]) -> int:
    command = next((each for each in COMMANDS if [each.name] == arguments[:1]), None)
    if command is None:
        overview = _overview()
        overview.parse_args(arguments)
        overview.error("expected a URL or a command")
    name = f"{PROGRAM} {command.name}"
    parser = argparse.ArgumentParser(name, description=command.sentence)
    command.add_options(parser)
    return _guarded(command, parser.parse_args(arguments[1:]))


def _guarded(command: Command, given: argparse.Namespace) -> int:
    """Runs the command. The exit code says what it raised, if anything. The token is redacted from every message.

    "Could not test" is a result, so it goes to standard output as reports do.
    """
    if command.needs_extra and (package := missing()):
        return _say(f"{package} is missing; run: {EXTRA}", COULD_NOT_TEST)
    token = getattr(given, "token", None)
    try:
        return command.run(given)
    except UsageError as ex:
        return _say(redact(str(ex), token), USAGE)
    except CouldNotTest as ex:
        print(f"could not test: {redact(str(ex), token)}", flush=True)
        return COULD_NOT_TEST
    except CannotListen as ex:
        return _say(str(ex), COULD_NOT_TEST)
    except Exception as ex:
        if is_unwritten(ex):
            raise
        text = redact(traceback.format_exc(), token)
        return _say(f"the suite is at fault\n{text}", SUITE_AT_FAULT)


def _say(message: str, code: int) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return code


def _with_command(arguments: list[str]) -> list[str]:
    """A URL, or options with a URL among them, are for `run`."""
    first = arguments[0] if arguments else "-"
    if first.startswith("-"):
        is_run = first.startswith("--") and any("://" in word for word in arguments)
    else:
        is_run = first not in [each.name for each in COMMANDS]
    return ["run", *arguments] if is_run else arguments


def _overview() -> argparse.ArgumentParser:
    """Parses arguments without a command: --help, --version, or a mistake."""
    parser = argparse.ArgumentParser(
        PROGRAM,
        description=f"Judges a server of the Octomil Cloud Inference API by spec {spec.VERSION}.",
        epilog="Exit codes: 0 conformant in everything that was tested, 1 not conformant, 2 wrong usage, 3 could not test, 4 a bug in the suite.",
    )
    version = f"{__version__}, spec {spec.VERSION}"
    parser.add_argument("--version", action="version", version=version)
    metavar = "|".join(("URL", *(each.name for each in COMMANDS)))
    commands = parser.add_subparsers(required=True, metavar=metavar)
    for each in COMMANDS:
        sentence = each.sentence[0].lower() + each.sentence[1:].rstrip(".")
        commands.add_parser(each.name, help=sentence)
    return parser
