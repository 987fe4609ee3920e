"""The state that all connections of a provider share, and one response, which gates may hold and the witness records."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from octomil_conformance.backend.response import Response, Wire
from octomil_conformance.backend.witness import Call, Outcome, Provider, Witness
from octomil_conformance.exchange import Json

Outage = Literal["refuse", "hang", "stall", "fail", "deny", "lost", "limit", "text"]

Control = Callable[[str, Json, Wire], Any]
"""Takes name, arguments and connection of a call of the control API, and returns its result.

Raises LookupError, TypeError or ValueError.
"""

JSON = "application/json"

POLL = 0.02
"""Seconds between two checks whether the other end is still there."""

HELD_AT_MOST = 10.0
"""Seconds after which a held answer goes on, so that nothing hangs."""


@dataclass(frozen=True)
class Pace:
    """Seconds, derived from the timeout of the server under test."""

    late: float
    """Too late for any timely response."""
    gap: float
    """A pause between two tokens that is in time. Four of them are too long for a single answer."""


def pace_for(timeout: float) -> Pace:
    return Pace(late=3 * timeout, gap=0.4 * timeout)


class Gates:
    """The nonces whose answers are no longer held. A check opens them; it never guesses an interval. Thread-safe."""

    def __init__(self) -> None:
        self._opened: set[str] = set()
        self._changed = threading.Condition()

    def open(self, nonce: str) -> None:
        """Opens the gate of the whole group, for later calls too."""
        with self._changed:
            self._opened.add(nonce)
            self._changed.notify_all()

    def wait(self, nonce: str, seconds: float) -> bool:
        """True once the gate of the nonce, or of a group around it, is open; False after `seconds`."""
        parts = nonce.split(".")
        groups = {".".join(parts[: count + 1]) for count in range(len(parts))}
        with self._changed:
            return self._changed.wait_for(
                lambda: groups & self._opened != set(), seconds
            )


@dataclass
class ProviderState:
    backend: Provider
    pace: Pace
    witness: Witness
    gates: Gates
    control: Control
    outage: Outage | None = None
    restored: threading.Event = field(default_factory=threading.Event)
    """Set when an outage that hangs is over."""


class GatedResponse:
    """One response, recorded by the witness as it goes out. Raises ClientLeft and Stopped."""

    def __init__(self, response: Response, state: ProviderState, call: Call) -> None:
        self.response = response
        self._state = state
        self._call = call
        self._gate: float = math.inf
        """How many tokens leave before the answer is held."""
        self._expired = False

    @property
    def pace(self) -> Pace:
        return self._state.pace

    def quoting(self, message: str) -> str:
        """The message with what real upstreams quote: `{host}` is their address, `{key}` the key that they were sent."""
        headers = self.response.request.headers
        key = headers.get("authorization", "").removeprefix("Bearer ") or "no key"
        host = headers.get("host", "")
        return message.replace("{host}", host).replace("{key}", key)

    def answer(
        self, status: int, data: bytes, content_type: str = JSON, **headers: str
    ) -> None:
        """Sends a whole response."""
        self.ending("answered")
        self.response.answer(status, data, content_type=content_type, **headers)

    def break_off(self, outcome: Outcome) -> None:
        """Closes the connection, wherever the response is."""
        self.ending(outcome)
        self.response.close()

    def ending(self, outcome: Outcome) -> None:
        """Records the end. Called before the last byte leaves: see Call.ended."""
        seen: Outcome = "gate expired" if self._expired else outcome
        self._state.witness.end(self._call, seen)
        if outcome == "answered":
            self.response.complete()

    def hold_after(self, tokens: int) -> None:
        """Holds what follows this many tokens until the gate opens. Without a nonce there is no gate."""
        self._gate = tokens if self._call.nonce else math.inf

    def pass_gate(self, token: float) -> None:
        """Waits until this token may leave, for at most HELD_AT_MOST seconds."""
        if token > self._gate:
            opened = partial(self._state.gates.wait, self._call.nonce)
            if not self._until(opened, HELD_AT_MOST):
                self._expired, self._gate = True, math.inf

    def pause(self, seconds: float) -> None:
        if seconds:
            self._until(self.response.stopped.wait, seconds)

    def await_restoration(self) -> None:
        self._until(self._state.restored.wait, HELD_AT_MOST)

    def _until(self, done: Callable[[float], bool], seconds: float) -> bool:
        """True once `done(wait)` holds, False after `seconds`. Ends early if the client or the upstream closes."""
        end = time.monotonic() + seconds
        while True:
            self.response.check()
            if done(min(POLL, max(0.0, end - time.monotonic()))):
                self.response.check()
                return True
            if time.monotonic() >= end:
                return False
