"""Points and spans on the monotonic clock."""

import time
from collections.abc import Callable


class Deadline:
    """A point in time by which something must be done."""

    def __init__(self, seconds: float) -> None:
        """`seconds` from now."""
        self.renew(seconds)

    def renew(self, seconds: float) -> None:
        """The point is now `seconds` from now."""
        self._at = time.monotonic() + seconds

    def shorten(self, seconds: float) -> None:
        """The point is at most `seconds` from now."""
        self._at = min(self._at, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; 0 or less when it has passed."""
        return self._at - time.monotonic()


def stopwatch() -> Callable[[], float]:
    """A function that gives the milliseconds since this call."""
    started = time.monotonic()
    return lambda: round((time.monotonic() - started) * 1000, 3)
