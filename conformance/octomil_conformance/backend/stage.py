"""The state that all connections of a provider share, and one response, which gates may hold and the witness records."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from octomil_conformance.backend.gates import HELD_AT_MOST, Gates
from octomil_conformance.backend.response import Response, Wire
from octomil_conformance.backend.witness import Outcome, Provider, Witness

Outage = Literal["refuse", "hang", "fail", "deny", "lost", "limit"]

Control = Callable[[str, dict[str, Any], Wire], Any]
"""Takes name, arguments and connection of a call of the control API, and returns its result.

Raises LookupError, TypeError or ValueError.
"""

JSON = "application/json"

POLL = 0.02
"""Seconds between two checks whether the other end is still there."""


@dataclass(frozen=True)
class Pace:
    """Seconds, derived from the timeout of the server under test."""

    late: float
    """Too late for any timely response."""
    gap: float
    """A pause between two tokens that is in time. Four of them are too long for a single answer."""


def pace_for(timeout: float) -> Pace:
    return Pace(late=3 * timeout, gap=0.4 * timeout)


@dataclass
class Stage:
    backend: Provider
    pace: Pace
    witness: Witness
    gates: Gates
    control: Control
    outage: Outage | None = None
    restored: threading.Event = field(default_factory=threading.Event)
    """Set when an outage that hangs is over."""


class Line:
    """One response, recorded by the witness as it goes out. Raises ClientLeft and Stopped."""

    def __init__(
        self, response: Response, stage: Stage, number: int, nonce: str
    ) -> None:
        self.response = response
        self._stage = stage
        self._number = number
        self._nonce = nonce
        self._expired = False

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

    def token_sent(self) -> None:
        self._stage.witness.token(self._number)

    def ending(self, outcome: Outcome) -> None:
        """Records the end. Called before the last byte leaves: see Call.ended."""
        self._stage.witness.end(
            self._number, "gate expired" if self._expired else outcome
        )
        if outcome == "answered":
            self.response.complete()

    def close_gate(self, tokens: int) -> None:
        self._stage.gates.close(self._nonce, tokens)

    def pass_gate(self, token: int) -> None:
        """Waits until the gate lets this token pass, or for HELD_AT_MOST seconds."""
        passed = self._until(
            lambda wait: self._stage.gates.passes(self._nonce, token, wait),
            HELD_AT_MOST,
        )
        self._expired = self._expired or not passed

    def pause(self, seconds: float) -> None:
        if seconds:
            self._until(self.response.stopped.wait, seconds)

    def await_restoration(self) -> None:
        self._until(self._stage.restored.wait, HELD_AT_MOST)

    def _until(self, done: Callable[[float], bool], seconds: float) -> bool:
        """True once `done(wait)` holds, False after so many seconds. Watches both ends meanwhile."""
        end = time.monotonic() + seconds
        while True:
            self.response.check()
            if done(min(POLL, max(0.0, end - time.monotonic()))):
                self.response.check()
                return True
            if time.monotonic() >= end:
                return False
