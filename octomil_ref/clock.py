"""Deadlines and durations on the monotonic clock."""

import time
from collections.abc import Callable


class Deadline:
    """A point in time by which something must be done, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.renew(seconds)

    def renew(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def shorten(self, seconds: float) -> None:
        """Moves the deadline to `seconds` from now unless it is earlier already."""
        self._at = min(self._at, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left: 0 or less once the deadline has passed."""
        return self._at - time.monotonic()


def stopwatch() -> Callable[[], float]:
    """A function that returns the milliseconds since this call."""
    started = time.monotonic()
    return lambda: round((time.monotonic() - started) * 1000, 3)
