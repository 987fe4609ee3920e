"""The output of a command, and its end by Ctrl-C, by SIGTERM, or because stdout cannot be written."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO, TextIOWrapper

READER_LEFT = 141
"""The exit code of a command that SIGPIPE ended, as shells report it."""

UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a pipe or a file that cannot be written. They are not a fault of the program."""

ENDING = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def printed(program: str, code: int) -> Iterator[None]:
    """A context that writes everything printed before it ends. Raises SystemExit if it cannot be written.

    If the reader has gone it prints no message; otherwise it prints one line, and the exit code is `code`.
    """
    _open()
    try:
        try:
            yield
        except SystemExit:
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except OSError as ex:
        if not is_unwritten(ex):
            raise
        _forget()
        if ex.errno == errno.EPIPE:
            raise SystemExit(READER_LEFT) from ex
        print(f"{program}: cannot write: {ex.strerror}", file=sys.stderr)
        raise SystemExit(code) from ex


def is_unwritten(ex: BaseException) -> bool:
    return isinstance(ex, OSError) and ex.errno in UNWRITABLE


def _open() -> None:
    """Make stdout work even if it was closed, or cannot encode all characters."""
    if sys.stdout is None:
        sys.stdout = StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _forget() -> None:
    """Discard unwritten output: Python would try to write it at exit, fail again and print a message."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def signals_held() -> Iterator[None]:
    """Enter it before any thread starts: a signal could end the process from within a thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait_for_the_end() -> None:
    """Return at Ctrl-C or SIGTERM. Call it within `signals_held`."""
    signal.sigwait(ENDING)
