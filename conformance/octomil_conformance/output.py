"""What a command prints, and what becomes of it: it is shown as well as can be, and who cannot be written to ends the command."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO, TextIOWrapper

UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How a pipe or a file refuses what is written to it. It is nobody's fault, and nobody else's failure."""


def open_output() -> None:
    """Somewhere to print to: also where it was closed, or where it cannot say all that we say."""
    if sys.stdout is None:
        sys.stdout = StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def flushed() -> Iterator[None]:
    """What was printed is written while a failure can still be told; but Ctrl-C waits for nobody who reads."""
    try:
        yield
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def is_unwritten(ex: BaseException) -> bool:
    return isinstance(ex, OSError) and ex.errno in UNWRITABLE


def forget_output() -> None:
    """What is still unwritten would fail again, and aloud, when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
