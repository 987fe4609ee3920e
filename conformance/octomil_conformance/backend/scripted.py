"""The scripted backend in this process: two listeners, one witness, one set of gates."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self

from octomil_conformance.backend.gated import Gates, Outage, ProviderState, pace_for
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.outages import Outages
from octomil_conformance.backend.player import play
from octomil_conformance.backend.remote import control
from octomil_conformance.backend.upstream import ANY_PORT, Address, Upstream
from octomil_conformance.backend.witness import Call, Provider, Witness, high_water
from octomil_conformance.config import DEFAULT_BACKEND_TIMEOUT


class ScriptedBackend:
    """Listens from its creation until `close`; port 0 is any free one. See interface.Backend for the methods.

    `ollama` and `openai` are its two upstreams, which take scripts of their own. Raises ValueError for an address that is
    not loopback, CannotListen if a port is taken.
    """

    def __init__(
        self,
        ollama: Address = ANY_PORT,
        openai: Address = ANY_PORT,
        timeout: float = DEFAULT_BACKEND_TIMEOUT,
        allow_remote: bool = False,
    ) -> None:
        for host, _ in (ollama, openai):
            if not allow_remote and not is_loopback(host):
                raise ValueError(f"{host} is not a loopback address")
        self.timeout = timeout
        self._witness = Witness()
        self._gates = Gates()
        self._providers: dict[Provider, tuple[Upstream, ProviderState]] = {}
        self._outages = Outages(self._providers)
        try:
            self.ollama = self._listen("ollama", ollama)
            self.openai = self._listen("openai", openai)
        except OSError:
            self.close()
            raise
        self.ollama_url = self.ollama.url
        self.openai_url = self.openai.url + "/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Cuts off all responses. May be called again."""
        self._outages.close()

    def calls(self, nonce: str) -> list[Call]:
        return self._witness.calls(nonce)

    def wait_for_calls(self, nonce: str, count: int, timeout: float) -> list[Call]:
        return self._witness.wait(nonce, lambda calls: len(calls) >= count, timeout)

    def wait_for_active(self, nonce: str, count: int, timeout: float) -> int:
        seen = self._witness.wait(nonce, lambda calls: most(calls) >= count, timeout)
        return most(seen)

    def wait_for_hang_up(self, nonce: str, timeout: float) -> Call | None:
        calls = self._witness.wait(nonce, lambda calls: bool(_left(calls)), timeout)
        return next(iter(_left(calls)), None)

    def wait_until_idle(self, nonce: str, timeout: float) -> bool:
        return self._saw(
            nonce, lambda calls: all(call.ended for call in calls), timeout
        )

    def high_water(self, nonce: str) -> int:
        return high_water(self.calls(nonce))

    def unknown(self) -> list[str]:
        return self._witness.unknown()

    def open(self, nonce: str) -> None:
        self._gates.open(nonce)

    @contextmanager
    def outage(
        self, kind: Outage = "refuse", backends: Sequence[Provider] = BOTH
    ) -> Iterator[None]:
        self._outages.begin(kind, backends)
        try:
            yield
        finally:
            self._outages.end()

    def _listen(self, provider: Provider, address: Address) -> Upstream:
        pace = pace_for(self.timeout)
        called = partial(control, self, self._outages)
        state = ProviderState(provider, pace, self._witness, self._gates, called)
        upstream = Upstream(address, partial(play, state))
        self._providers[provider] = (upstream, state)
        return upstream

    def _saw(
        self, nonce: str, seen: Callable[[list[Call]], bool], timeout: float
    ) -> bool:
        return seen(self._witness.wait(nonce, seen, timeout))


def most(calls: list[Call]) -> int:
    """The most calls that one upstream answered at the same time."""
    return max(high_water([c for c in calls if c.backend == name]) for name in BOTH)


def _left(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.outcome == "hung up"]


def is_loopback(host: str) -> bool:
    """True for loopback addresses, and for the one name that always resolves to them."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
