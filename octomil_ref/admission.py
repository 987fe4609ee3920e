"""How many requests may wait for a model at once; the others are told to come again (spec section 0)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from octomil_ref.errors import Overloaded


class Admission:
    def __init__(self, bound: int | None) -> None:
        """None: no bound."""
        self._bound = bound
        self._places = threading.BoundedSemaphore(bound or 1)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises Overloaded at once when all places are taken."""
        if self._bound is None:
            yield
            return
        if not self._places.acquire(blocking=False):
            raise Overloaded(
                "Too many requests are waiting for a model.", {"Retry-After": "1"}
            )
        try:
            yield
        finally:
            self._places.release()
