"""gunicorn's signals, with a manner it lacks: a worker that is still starting misses none.

A new worker has its master's handlers until it sets its own. What reaches it before that is lost, so that a server which is
stopped just after its start waits for all of its grace, and for longer the busier the machine is. The signals are held back
meanwhile.
"""

import os
import signal

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


def hold_for_new_processes() -> None:
    """From now on each process that this one forks has them held back, and calls `release` when it is ready for them."""
    os.register_at_fork(before=_hold, after_in_parent=release)


def release() -> None:
    """Whatever was held back arrives."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _hold() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
