"""Outages: what cannot ride in a model's name, because a refused connection comes before any body."""

import socket
import threading
from collections.abc import Mapping, Sequence

from octomil_conformance.backend.line import is_closed
from octomil_conformance.backend.listener import Listener
from octomil_conformance.backend.stage import Outage
from octomil_conformance.backend.witness import Provider

LONGEST = 60.0
"""Seconds of an outage that somebody in another process began."""

POLL = 0.05


class Outages:
    """One outage at a time, over some of the listeners."""

    def __init__(self, listeners: Mapping[Provider, Listener]) -> None:
        self._listeners = listeners
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._affected: list[Listener] = []

    def begin(
        self,
        kind: Outage,
        backends: Sequence[Provider],
        spare: socket.socket | None = None,
    ) -> None:
        """`spare` is not cut off. Raises ValueError while another outage lasts."""
        if kind not in ("refuse", "hang", "fail"):
            raise ValueError(f"there is no outage {kind!r}")
        with self._lock:
            if self._affected:
                raise ValueError("an outage lasts already")
            self._affected = [self._listeners[name] for name in backends]
            self._over.clear()
            for listener in self._affected:
                listener.stage.restored.clear()
                listener.stage.outage = kind
                if kind == "refuse":
                    listener.close(spare)

    def end(self) -> None:
        """May be called again."""
        with self._lock:
            for listener in self._affected:
                if listener.stage.outage == "refuse":
                    listener.reopen()
                listener.stage.outage = None
                listener.stage.restored.set()
            self._affected = []
            self._over.set()

    def end_with(self, connection: socket.socket) -> None:
        """The outage lasts no longer than this connection of the one who began it."""

        def watch() -> None:
            for _ in range(round(LONGEST / POLL)):
                if self._over.wait(POLL) or is_closed(connection):
                    break
            self.end()

        threading.Thread(target=watch, daemon=True).start()

    def close(self) -> None:
        """For good."""
        with self._lock:
            self._affected = []
            self._over.set()
            for listener in self._listeners.values():
                listener.stage.restored.set()
                listener.close()
