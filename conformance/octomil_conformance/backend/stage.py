"""What all connections of one listener share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from octomil_conformance.backend.gates import Gates
from octomil_conformance.backend.witness import Provider, Witness

Outage = Literal["refuse", "hang", "fail"]

Control = Callable[[str, dict[str, Any], Any], Any]
"""(name, arguments, connection) of a call to the control API, to its result. Raises LookupError, TypeError or ValueError."""


@dataclass(frozen=True)
class Pace:
    """Seconds, from the timeout that the server under test was told."""

    late: float
    """Too late for any timely answer."""
    gap: float
    """In time between two tokens; too long when it comes four times in one single answer."""


def pace_for(timeout: float) -> Pace:
    return Pace(late=3 * timeout, gap=0.6 * timeout)


@dataclass
class Stage:
    backend: Provider
    pace: Pace
    witness: Witness
    gates: Gates
    control: Control
    outage: Outage | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set while the listener is closed."""
    restored: threading.Event = field(default_factory=threading.Event)
    """Set when an outage that hangs is over."""
