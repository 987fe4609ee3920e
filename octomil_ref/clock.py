"""Deadlines and durations on the monotonic clock, and results that are reused for a while."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


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


class Shared(Generic[T]):
    """The result of `make`, made again at most every `seconds`. Simultaneous callers share one call."""

    def __init__(self, make: Callable[[], T], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._lock = threading.Lock()
        self._fresh = Deadline(0)

    def get(self) -> T:
        with self._lock:
            if self._fresh.remaining() <= 0:
                self._result = self._make()
                self._fresh.renew(self._seconds)
            return self._result


def stopwatch() -> Callable[[], float]:
    """A function that returns the milliseconds since this call."""
    started = time.monotonic()
    return lambda: round((time.monotonic() - started) * 1000, 3)
