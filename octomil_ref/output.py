"""What a command prints gets to somebody, or the command ends: quietly when nobody reads on, else with one line."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY_READS = 141
"""What a shell says of a command that such a signal has ended."""

UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How a pipe or a file refuses what is written to it."""


@contextmanager
def heard() -> Iterator[None]:
    """All that is printed within has been written behind it. Raises SystemExit where that cannot be."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)
    except OSError as ex:
        if ex.errno not in UNWRITABLE:
            raise
        _forget()
        quiet = ex.errno == errno.EPIPE
        what = f"octomil-ref: cannot print: {ex.strerror}"
        raise SystemExit(NOBODY_READS if quiet else what) from ex


def _forget() -> None:
    """What is still unwritten would fail again, and aloud, when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
