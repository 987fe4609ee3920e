"""A command, and the exit code of whatever it raises."""

import argparse
import importlib.util
import sys
import traceback
from collections.abc import Callable

from octomil_conformance.config import CouldNotTest, UsageError
from octomil_conformance.output import is_unwritten
from octomil_conformance.report.redact import redact

USAGE, COULD_NOT_TEST, SUITE_AT_FAULT = 2, 3, 4

EXTRA = "pip install 'octomil-ref[conformance]'"


def guarded(
    run: Callable[[argparse.Namespace], int],
    options: argparse.Namespace,
    needs_checks: bool,
) -> int:
    """No token is told, whoever names it. What cannot be written, and Ctrl-C, are nobody's fault."""
    lacking = missing() if needs_checks else ""
    if lacking:
        return say(f"{lacking} is missing; run: {EXTRA}", COULD_NOT_TEST)
    token = getattr(options, "token", None)
    try:
        return run(options)
    except UsageError as ex:
        return say(redact(str(ex), token), USAGE)
    except CouldNotTest as ex:
        print(f"could not test: {redact(str(ex), token)}", file=sys.stderr)
        return COULD_NOT_TEST
    except Exception as ex:  # whatever it is, it is ours
        if is_unwritten(ex):
            raise
        text = redact(traceback.format_exc(), token)
        return say(f"the suite is at fault\n{text}", SUITE_AT_FAULT)


def missing() -> str:
    """The first package that the checks need and that is not installed."""
    for name in ("pytest", "jsonschema"):
        if importlib.util.find_spec(name) is None:
            return name
    return ""


def say(message: str, code: int) -> int:
    print(f"octomil-conformance: {message}", file=sys.stderr)
    return code
