"""The witness records every request that reached the scripted backend, and waits for what it is asked to see."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

Provider = Literal["ollama", "openai"]
Outcome = Literal["running", "answered", "cut", "hung up", "stopped", "gate expired"]

KEPT_CALLS = 20_000
"""If there are more, the oldest are dropped."""
KEPT_PATHS = 20
"""The most unknown paths that are recorded."""


@dataclass
class Call:
    """One request of the server under test, as it was when the witness was asked."""

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
    refused: str = ""
    """Why a real server would refuse the request; empty if it would not."""
    number: int = 0
    """From 1, in order of arrival, over all backends and nonces."""
    arrived: float = 0.0
    """Monotonic seconds, like `ended`. Comparable on one machine only."""
    ended: float | None = None
    """The time just before the last byte leaves, so that the next call of a correct server never overlaps with this one."""
    outcome: Outcome = "running"
    """`cut`: by the script. `hung up`: by the server under test. `stopped`: by an outage or the end of the backend."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} to {self.backend}"

    @property
    def refusal(self) -> str:
        """Says that the request was refused and why; empty if it was not."""
        return f"refuses the server's request: {self.refused}" if self.refused else ""


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
        self._groups: dict[str, list[Call]] = {}
        """Calls by root, because checks look for their few calls again and again among thousands of others."""
        self._roots: deque[str] = deque()
        """The root of each call that is kept, the oldest first."""
        self._arrived = 0
        self._unknown: dict[str, None] = {}
        self._changed = threading.Condition()

    def arrive(self, call: Call) -> None:
        """Records the call. It is changed while it is answered."""
        with self._changed:
            self._arrived += 1
            if call.is_unknown and len(self._unknown) < KEPT_PATHS:
                self._unknown[f"{call.method} {call.path}"] = None
            call.number, call.arrived = self._arrived, time.monotonic()
            self._roots.append(root_of(call.nonce))
            self._groups.setdefault(self._roots[-1], []).append(call)
            if len(self._roots) > KEPT_CALLS:
                self._drop(self._roots.popleft())
            self._changed.notify_all()

    def end(self, call: Call, outcome: Outcome) -> None:
        """Records the end of a call. Only the first counts."""
        with self._changed:
            if call.ended is None:
                call.ended, call.outcome = time.monotonic(), outcome
                self._changed.notify_all()

    def calls(self, nonce: str) -> list[Call]:
        with self._changed:
            group = self._groups.get(root_of(nonce), [])
            return [copy(call) for call in group if in_group(call, nonce)]

    def unknown(self) -> list[str]:
        """Method and path of each request for an unknown path. They are never forgotten."""
        with self._changed:
            return list(self._unknown)

    def wait(
        self, nonce: str, seen: Callable[[list[Call]], bool], timeout: float
    ) -> list[Call]:
        """The calls of the group, as soon as `seen` is true of them or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: seen(self.calls(nonce)), timeout)
            return self.calls(nonce)

    def _drop(self, root: str) -> None:
        """Forgets the oldest call of this root."""
        del self._groups[root][0]
        if not self._groups[root]:
            del self._groups[root]
