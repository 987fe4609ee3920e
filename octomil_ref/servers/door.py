"""What both servers let in: how many clients a process has at most, how large the head of a request may be, and nobody for a
moment when descriptors have run out."""

import errno
import sys
from collections.abc import Callable

from octomil_ref.clock import Deadline

MAX_CONNECTIONS = 2000
"""Of clients, to one process. Those that are idle need no thread."""

MAX_HEAD_BYTES = 65536
"""Of a request's line and headers."""

LINGER = 2.0
"""Seconds that clients have for the rest of a head when the process stops, and to notice the end of their connection."""

OWN_DESCRIPTORS = 64
"""For whatever is neither a client's nor an upstream's: listeners, pipes, files."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""How accept() fails for want of a descriptor, or of memory."""

PAUSE = 1.0
"""Seconds for which nobody is let in then."""


def client_connections(upstream_calls: int) -> int:
    """How many clients may be connected at once so that each upstream call, to either backend, still finds a descriptor.

    Raises the system's limit on this process as far as that is allowed.
    """
    if sys.platform == "win32":  # which has no such limit
        return MAX_CONNECTIONS
    import resource

    own = OWN_DESCRIPTORS + 2 * upstream_calls
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    allowed = MAX_CONNECTIONS + own
    if most != endless:
        allowed = min(allowed, most)
    if limit != endless and limit < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return min(MAX_CONNECTIONS, max(allowed - own, allowed // 2))


class Door:
    """Shut for a moment when accept() found no descriptor: it would fail again at once, and take a core's whole time."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._pause = Deadline(0)
        self._failing = False

    def is_open(self) -> bool:
        return self._pause.remaining() <= 0

    def somebody_came(self) -> None:
        self._failing = False

    def nobody_came(self, failure: OSError) -> None:
        """Complains once. Raises a failure of another kind."""
        if failure.errno not in EXHAUSTED:
            raise failure
        if not self._failing:
            self._warn(f"No more clients are let in for now: {failure}")
        self._failing = True
        self._pause.renew(PAUSE)
