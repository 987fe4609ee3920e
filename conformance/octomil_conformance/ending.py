"""Until Ctrl-C or SIGTERM, for commands that serve."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def signals_held() -> Iterator[None]:
    """From before any thread starts: a signal would else end the process from within one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait() -> None:
    """Returns when the process is told to end. To be called within `signals_held`."""
    signal.sigwait(ENDING)
