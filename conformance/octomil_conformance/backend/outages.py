"""Outages. A model cannot name them, because a refused connection comes before any body."""

import threading
from collections.abc import Mapping, Sequence
from typing import get_args

from octomil_conformance.backend.gated import Outage, ProviderState
from octomil_conformance.backend.response import Wire, is_closed
from octomil_conformance.backend.upstream import Upstream
from octomil_conformance.backend.witness import Provider

LONGEST = 60.0
"""Seconds after which an outage that another process began ends by itself."""

POLL = 0.05


class Outages:
    """One outage at a time, over some of the upstreams."""

    def __init__(
        self, providers: Mapping[Provider, tuple[Upstream, ProviderState]]
    ) -> None:
        self._providers = providers
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._over.set()
        self._affected: list[tuple[Upstream, ProviderState]] = []

    def begin(
        self, kind: Outage, backends: Sequence[Provider], spare: Wire | None = None
    ) -> None:
        """Begins an outage, in which the connection `spare` stays open. Raises ValueError while another outage lasts."""
        if kind not in get_args(Outage):
            raise ValueError(f"there is no outage {kind!r}")
        with self._lock:
            if self._affected:
                raise ValueError("another outage has not ended")
            self._affected = [self._providers[name] for name in backends]
            self._over = threading.Event()
            for upstream, state in self._affected:
                state.restored.clear()
                state.outage = kind
                if kind == "refuse":
                    upstream.refuse_all(spare)

    def end(self) -> None:
        """May be called again."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        for upstream, state in self._affected:
            upstream.listen_again()
            state.outage = None
            state.restored.set()
        self._affected = []
        self._over.set()

    def end_with(self, connection: Wire) -> None:
        """Ends the outage when this connection, over which it was begun, is closed."""
        over = self._over

        def watch() -> None:
            for _ in range(round(LONGEST / POLL)):
                if over.wait(POLL) or is_closed(connection.socket):
                    break
            with self._lock:
                if not over.is_set():  # another outage may have begun since
                    self._end()

        threading.Thread(target=watch, daemon=True).start()

    def close(self) -> None:
        """Closes all upstreams for good."""
        with self._lock:
            self._affected = []
            self._over.set()
            for upstream, state in self._providers.values():
                state.restored.set()
                upstream.close()
