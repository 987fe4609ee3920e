"""The witness records every request that reached the scripted backend, and waits for what it is asked to see."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Provider = Literal["ollama", "openai"]
Outcome = Literal["running", "answered", "cut", "hung up", "stopped", "gate expired"]

KEPT_CALLS = 20_000
"""If there are more, the oldest are dropped."""
KEPT_PATHS = 20
"""The most unknown paths that are recorded."""


@dataclass(frozen=True)
class Call:
    """One request of the server under test."""

    number: int
    """From 1, in order of arrival, over all backends and nonces."""
    nonce: str
    """Empty if the body has no tag, as in a health probe."""
    backend: Provider
    """The provider that was asked, known by its port."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """The JSON value, or None."""
    model: str
    stream: bool
    scenario: str
    """The scenario; empty if none has the name in the request."""
    is_unknown: bool
    """True if the scripted backend has no such path."""
    arrived: float
    """Monotonic seconds, like `ended`. Comparable on one machine only."""
    ended: float | None = None
    """The time just before the last byte leaves, so that the next call of a correct server never overlaps with this one."""
    tokens: int = 0
    """Tokens sent so far."""
    outcome: Outcome = "running"
    """`cut`: the script cut the answer. `hung up`: the server under test left in the middle of it. `stopped`: an outage or the end of the backend."""


def in_group(call: Call, nonce: str) -> bool:
    return call.nonce == nonce or (nonce != "" and call.nonce.startswith(f"{nonce}."))


def root_of(nonce: str) -> str:
    """The name of the largest group around a nonce."""
    return nonce.partition(".")[0]


def high_water(calls: Sequence[Call]) -> int:
    """The most calls that were answered at the same time."""
    steps = [(call.arrived, 1) for call in calls]
    steps += [(call.ended, -1) for call in calls if call.ended is not None]
    running = most = 0
    for _, step in sorted(steps):
        running += step
        most = max(most, running)
    return most


class Witness:
    """Thread-safe."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[int, Call]] = {}
        """Calls by root and number, because checks look for their few calls again and again among thousands of others."""
        self._roots: dict[int, str] = {}
        """Calls by number, the oldest first."""
        self._arrived = 0
        self._unknown: dict[str, None] = {}
        self._changed = threading.Condition()

    def arrive(self, call: Call) -> int:
        """Records the call and returns its number."""
        with self._changed:
            self._arrived += 1
            if call.is_unknown and len(self._unknown) < KEPT_PATHS:
                self._unknown[f"{call.method} {call.path}"] = None
            root = self._roots[self._arrived] = root_of(call.nonce)
            self._groups.setdefault(root, {})[self._arrived] = replace(
                call, number=self._arrived, arrived=time.monotonic()
            )
            if len(self._roots) > KEPT_CALLS:
                self._drop(next(iter(self._roots)))
            self._changed.notify_all()
            return self._arrived

    def token(self, number: int) -> None:
        self._update(number, lambda call: replace(call, tokens=call.tokens + 1))

    def end(self, number: int, outcome: Outcome) -> None:
        """Records the end of a call. Only the first counts."""
        now = time.monotonic()
        self._update(
            number,
            lambda call: (
                replace(call, ended=now, outcome=outcome)
                if call.ended is None
                else call
            ),
        )

    def calls(self, nonce: str) -> list[Call]:
        with self._changed:
            group = self._groups.get(root_of(nonce), {})
            return [call for call in group.values() if in_group(call, nonce)]

    def unknown(self) -> list[str]:
        """Method and path of each request for an unknown path. They are never forgotten."""
        with self._changed:
            return list(self._unknown)

    def forget(self, nonce: str) -> None:
        with self._changed:
            for call in self.calls(nonce):
                self._drop(call.number)

    def wait(
        self, nonce: str, seen: Callable[[list[Call]], bool], timeout: float
    ) -> list[Call]:
        """The calls of the group, as soon as `seen` is true of them or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: seen(self.calls(nonce)), timeout)
            return self.calls(nonce)

    def _update(self, number: int, change: Callable[[Call], Call]) -> None:
        with self._changed:
            if number in self._roots:
                group = self._groups[self._roots[number]]
                group[number] = change(group[number])
                self._changed.notify_all()

    def _drop(self, number: int) -> None:
        root = self._roots.pop(number)
        del self._groups[root][number]
        if not self._groups[root]:
            del self._groups[root]
