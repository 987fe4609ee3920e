"""Asks Ollama first, then the other backend. Returns the answer and its provider."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from octomil_conformance.server.backends import Backend, Upstreams, Vectors
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import CLIENT, Client, Json
from octomil_conformance.server.payloads import Prompt

T = TypeVar("T")
Close = Callable[[], object]
NOBODY = Client()
THINKING = 1.0
"""Seconds of reasoning, which comes as empty tokens, after which the status is sent."""


@dataclass(frozen=True)
class Stream:
    """A streamed answer that has brought its first token, or is known to be empty."""

    tokens: Iterator[str]
    close: Close
    """Ends the upstream's answer."""
    provider: str
    ending: Json
    """How it ended, once it has."""


class Gateway:
    def __init__(self, upstreams: Upstreams) -> None:
        self.backends = upstreams.backends()
        self._upstreams = upstreams
        self._cooling: dict[str, float] = {}
        """The times until which backends are asked last."""

    def complete(self, prompt: Prompt) -> tuple[Json, str]:
        return self._first(lambda backend: backend.complete(prompt))

    def embed(self, model: str, texts: list[str]) -> tuple[Vectors, str]:
        return self._first(lambda backend: backend.embed(model, texts))

    def stream(self, prompt: Prompt) -> Stream:
        ending: Json = {}

        def committed(backend: Backend) -> tuple[Iterator[str], Close]:
            tokens = backend.stream(prompt, ending)
            return itertools.chain(_beginning(tokens), tokens), tokens.close

        (tokens, close), provider = self._first(committed)
        return Stream(tokens, close, provider, ending)

    def probe_times(self) -> list[float | None]:
        """`Backend.probe_time` of each backend. All are asked at once."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(Backend.probe_time, self.backends))

    def _first(self, attempt: Callable[[Backend], T]) -> tuple[T, str]:
        failures = []
        for backend in sorted(self.backends, key=self._is_cooling):
            try:
                return attempt(backend), backend.provider
            except Failure as ex:
                failures.append(ex)
                if ex.kind == "unreached":
                    until = time.monotonic() + self._upstreams.cooldown
                    self._cooling[backend.provider] = until
                if not ex.falls_back or CLIENT.get(NOBODY).has_left:
                    raise
        raise self._upstreams.choice(failures)

    def _is_cooling(self, backend: Backend) -> bool:
        return time.monotonic() < self._cooling.get(backend.provider, 0.0)


def _beginning(tokens: Iterator[str]) -> list[str]:
    """The tokens up to the first one with text, or until the time for reasoning is over."""
    beginning: list[str] = []
    until = math.inf
    for token in tokens:
        beginning.append(token)
        if token or time.monotonic() > until:
            break
        until = min(until, time.monotonic() + THINKING)
    return beginning
