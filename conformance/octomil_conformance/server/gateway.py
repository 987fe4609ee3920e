"""Which backend answers: Ollama first, then the other; the answer and who gave it."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from octomil_conformance.server.backends import Backend, Vectors
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Json
from octomil_conformance.server.payloads import Prompt

T = TypeVar("T")
Close = Callable[[], object]
THINKING = 1.0
"""Seconds of reasoning, which comes as empty tokens, after which the status is sent."""


@dataclass(frozen=True)
class Stream:
    """A streamed answer whose first token has come, or which is known to be empty."""

    tokens: Iterator[str]
    close: Close
    """Ends the upstream's answer."""
    provider: str
    ending: Json
    """How it ended, once it has."""


class Gateway:
    def __init__(self, backends: Sequence[Backend]) -> None:
        self.backends = backends

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

    def usable(self) -> list[float | None]:
        """As each backend says it. All are asked at once."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(Backend.usable, self.backends))

    def _first(self, attempt: Callable[[Backend], T]) -> tuple[T, str]:
        failures = []
        for backend in self.backends:
            try:
                return attempt(backend), backend.provider
            except Failure as ex:
                failures.append(ex)
                if not ex.falls_back:
                    raise
        raise ([ex for ex in failures if ex.kind != "missing_model"] or failures)[-1]


def _beginning(tokens: Iterator[str]) -> list[str]:
    """Up to the first token with text, or to the end of the time for reasoning."""
    beginning: list[str] = []
    until = math.inf
    for token in tokens:
        beginning.append(token)
        if token or time.monotonic() > until:
            break
        until = min(until, time.monotonic() + THINKING)
    return beginning
