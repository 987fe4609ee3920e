"""How many requests may wait for a model at once; the others are told to come again."""

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
        with self.place_if_free() as given:
            if not given:
                raise overloaded()
            yield

    @contextmanager
    def place_if_free(self) -> Iterator[bool]:
        """Whether there was one."""
        if self._bound is None:
            yield True
            return
        given = self._places.acquire(blocking=False)
        try:
            yield given
        finally:
            if given:
                self._places.release()


def overloaded() -> Overloaded:
    return Overloaded(
        "Too many requests are waiting for a model.", {"Retry-After": "1"}
    )
