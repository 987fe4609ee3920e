"""The bugs of a server in its traffic with one upstream."""

import math
import time
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import TypeVar

from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Json

REASONS = ("stop", "length", "tool_calls", "content_filter")
T = TypeVar("T")


def _same(given: T) -> T:
    return given


def nothing(fields: Json) -> None:
    pass


def whole_seconds(given: str) -> str:
    """The upstream's Retry-After as a whole number of seconds. It may be a number of seconds or a date; anything else becomes 1."""
    if date := parsedate_tz(given):
        return str(max(0, math.ceil(mktime_tz(date) - time.time())))
    with suppress(ValueError):
        return str(max(0, math.ceil(float(given))))
    return "1"


@dataclass(frozen=True)
class Fault:
    """The changes that a server with a bug makes to the traffic with one upstream; by default none."""

    sends: Callable[[Json], object] = nothing
    """Changes the JSON of a request before it is sent."""
    tokens: Callable[[Iterator[str]], Iterator[str]] = _same
    """Takes the tokens of the upstream, and yields those that the server uses. A whole answer is one token."""
    reason: Callable[[object], object] = lambda word: word if word in REASONS else None
    """Takes the upstream's word for why an answer ended, and returns the `finish_reason`, or None."""
    ending: Callable[[Json], object] = nothing
    """Changes how an answer ended: `finish_reason` and `usage`."""
    pieces: Callable[[Iterator[bytes]], Iterator[bytes]] = _same
    """Changes the body of a response, piece by piece as it arrives."""
    good: Container[int] = range(200, 300)
    """The statuses of an answer."""
    key: str | None = None
    """The key that is sent instead of the right one; empty for none."""
    coding: str = ""
    """A content coding that the server accepts, but does not read."""
    grace: float = 0.25
    """The part of the timeout for which the server waits for the counts after an answer."""
    follows: bool = False
    """True if the server follows a redirect."""
    timeout: float = 0.0
    """Seconds that the server waits for the rest of a response whose beginning has come; 0 for the rest of the timeout."""
    vectors: Callable[[list[list[float]]], list[list[float]]] = lambda vectors: vectors
    """Takes the vectors of the upstream, and returns those that the server uses."""
    delay: Callable[[str], str] = whole_seconds
    """Takes the upstream's Retry-After, empty if there is none, and returns the one that the server sends."""
    failure: Callable[[Failure, str], Failure] = lambda failure, words: failure
    """Takes a failure and the upstream's words in it, and returns the failure that the server uses."""
