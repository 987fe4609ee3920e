"""Which backend answers: Ollama first, then the other; the answer and who gave it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from octomil_conformance.server.backends import Backend
from octomil_conformance.server.failures import RETRY, Failure
from octomil_conformance.server.layers import Json
from octomil_conformance.server.payloads import Prompt
from octomil_conformance.server.readings import Vectors

T = TypeVar("T")
Close = Callable[[], object]


@dataclass(frozen=True)
class Stream:
    """A streamed answer whose first token is in hand, or which is known to be empty."""

    tokens: Iterator[str]
    close: Close
    """Ends the upstream's answer."""
    provider: str
    ending: Json
    """How it ended, once it has."""


class Gateway:
    """`upstream_name` gives the model's name that backends know; it may raise Failure."""

    def __init__(
        self,
        backends: Sequence[Backend],
        faults: frozenset[str] = frozenset(),
        upstream_name: Callable[[str], str] = str,
    ) -> None:
        self._faults = faults
        self._upstream_name = upstream_name
        self._broken = False
        self.backends = list(backends)
        if "openai_first" in faults:
            self.backends.reverse()
        if "no_fallback" in faults:
            del self.backends[1:]

    def complete(self, prompt: Prompt) -> tuple[Json, str]:
        prompt = self._renamed(prompt)
        return self._first(lambda backend: backend.complete(prompt))

    def embed(self, model: str, texts: list[str]) -> tuple[Vectors, str]:
        name = self._upstream_name(model)
        return self._first(lambda backend: backend.embed(name, texts))

    def stream(self, prompt: Prompt) -> Stream:
        prompt = self._renamed(prompt)
        ending: Json = {}

        def committed(backend: Backend) -> tuple[Iterator[str], Close]:
            tokens = backend.stream(prompt, ending)
            first = next(tokens, None)
            given = [] if first is None else [first]
            return itertools.chain(given, tokens), tokens.close

        (tokens, close), provider = self._first(committed)
        if "fallback_after_first_token" in self._faults:
            tokens = self._switching(tokens, prompt)
        return Stream(tokens, close, provider, ending)

    def usable(self) -> list[float | None]:
        """As each backend says it. They are asked at once."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(Backend.usable, self.backends))

    def _renamed(self, prompt: Prompt) -> Prompt:
        return replace(prompt, model=self._upstream_name(prompt.model))

    def _first(
        self, attempt: Callable[[Backend], T], backends: Sequence[Backend] | None = None
    ) -> tuple[T, str]:
        failures = []
        if self._broken:
            raise Failure("service_unavailable", "No backend is left.", headers=RETRY)
        for backend in self.backends if backends is None else backends:
            try:
                return attempt(backend), self._label(backend)
            except Failure as ex:
                failures.append(ex)
                falls_back = ex.falls_back or "falls_back_on_400" in self._faults
                if not falls_back or f"no_fallback_on_{ex.cause}" in self._faults:
                    raise
        self._broken = "gives_up_after_failure" in self._faults
        raise ([ex for ex in failures if ex.kind != "missing_model"] or failures)[-1]

    def _label(self, backend: Backend) -> str:
        return "ollama" if "provider_lies" in self._faults else backend.provider

    def _switching(self, tokens: Iterator[str], prompt: Prompt) -> Iterator[str]:
        try:
            yield from tokens
        except Failure:
            others = self.backends[1:] or self.backends
            again, _ = self._first(lambda each: list(each.stream(prompt, {})), others)
            yield from again
