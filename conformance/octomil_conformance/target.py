"""The server under test, and what all checks of a run share: the good answers to plain requests, and every exchange so far."""

import threading
import time
from collections.abc import Callable

from octomil_conformance.backend import Backend
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import PATHS, Config
from octomil_conformance.exchange import Exchange, Json

PROMPT = "Name a fruit."
OTHER_PROMPT = "The moon is far away."

PLAIN: dict[str, Json] = {"embed": {"prompt": [PROMPT, OTHER_PROMPT]}}
"""The request for the first good answer, by profile. A profile without an entry uses the default prompt."""
ODD_ANSWERS = ("unicode", "uncounted", "half-counted", "empty", "other-reason")
LONG: Json = {"scenario": "echo", "prompt": " ".join(["word"] * 1000)}
ODD: dict[str, list[Json]] = {
    "infer": [*({"scenario": name} for name in ODD_ANSWERS), LONG],
    "stream": [
        *({"scenario": name} for name in (*ODD_ANSWERS, "lingers")),
        {"scenario": "echo", "headers": {"Connection": "close"}},
        {"scenario": "echo", "prompt": "one"},
        LONG,
    ],
    "batch": [{"scenario": name} for name in ("unicode", "http-500", "other-reason")],
    "embed": [
        {"scenario": "echo", "prompt": "one"},
        {"scenario": "uncounted"},
        {"scenario": "shuffled", "prompt": [PROMPT, OTHER_PROMPT, "one"]},
    ],
}
"""Requests for more good answers at level 2, which a real model gives rarely. The first six are sent through the fallback too."""


class Target:
    """The server under test, and what all checks of a run share."""

    def __init__(self, config: Config, backend: Backend | None = None) -> None:
        self.config = config
        self.backend = backend
        self.wired: frozenset[Provider] = frozenset()
        """The dialects that the server was seen to call."""
        self.started = time.monotonic()
        self._specimens: dict[str, list[Exchange]] = {name: [] for name in PATHS}
        self._locks = {name: threading.Lock() for name in PATHS}
        self._seen: dict[str, dict[int, Exchange]] = {name: {} for name in PATHS}
        self._blamed: set[int] = set()

    def specimen(
        self, profile: str, index: int, ask: Callable[[], Exchange]
    ) -> Exchange:
        """The good answer with this index. It is asked for when it is first used."""
        seen = self._specimens[profile]
        with self._locks[profile]:
            if index == len(seen):
                seen.append(ask())
        return seen[index]

    def note(
        self, profile: str, exchanges: tuple[Exchange, ...], is_blamed: bool
    ) -> None:
        """Notes the exchanges of a check. `is_blamed` is true if it found a fault in the last one."""
        self._seen[profile] |= {id(exchange): exchange for exchange in exchanges}
        if is_blamed:
            self._blamed |= {id(exchange) for exchange in exchanges[-1:]}

    def seen(self, profile: str) -> list[Exchange]:
        """The exchanges of all checks of a profile so far."""
        return [*self._seen[profile].values()]

    def is_blamed(self, exchange: Exchange) -> bool:
        return id(exchange) in self._blamed

    def plain_requests(self, profile: str) -> list[tuple[Provider | None, Json]]:
        """The arguments of `Api.ask` for good answers, each with the upstream that has to answer. Level 2 has more."""
        is_scripted = self.backend is not None and self.config.claims.get(profile) == 2
        odd = ODD.get(profile, []) if is_scripted else []
        through_fallback = odd[:6] if "openai" in self.wired else []
        usual = [PLAIN.get(profile, {}), *odd]
        return [
            *((None, each) for each in usual),
            *(("openai", each) for each in through_fallback),
        ]
