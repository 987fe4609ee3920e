"""A request and everything that came back for it, with the arrival time of every piece. A recording is judged like a live exchange."""

import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal, TypeGuard

from octomil_conformance import sse

Headers = tuple[tuple[str, str], ...]

End = Literal[
    "complete", "closed", "cut", "deadline", "hung up", "nothing", "unrecorded"
]
"""How the body ended: `complete` as its framing says, `closed` by the close that delimits it, `cut` before its framing said so,
`deadline` not in time, `hung up` by us. `nothing`: no status line came. `unrecorded`: a recording does not say."""

WHOLE: tuple[End, ...] = ("complete", "closed", "unrecorded")
"""The ends after which the body may be complete."""


class Missing:
    """The value of a missing field. It is empty, so that a check goes on and fails at an expectation."""

    def __getitem__(self, key: object) -> "Missing":
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "(missing)"


MISSING = Missing()


Json = dict[str, Any]


class Fields(Json):
    """A JSON object in which an absent field reads as MISSING."""

    def __missing__(self, key: str) -> Missing:
        return MISSING


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Headers
    body: bytes
    profile: str | None = None
    """The profile whose schemas bind the exchange; None for a request outside all profiles."""
    file: str = ""
    """The recording that the exchange was read from; empty if it was live."""
    needs: str = ""
    """What is needed, besides the server, to repeat the request."""
    padding: int = 0
    """Spaces that are sent after the body and not recorded, for requests that only have to be large."""
    target: str = ""
    """The target in the request line; empty for the path and query of the URL."""

    @cached_property
    def fields(self) -> Any:
        return read_json(self.body)


@dataclass(frozen=True)
class Chunk:
    at: float
    """Seconds after the request was sent."""
    data: bytes
    """The bytes of one read, without content coding."""


@dataclass(frozen=True)
class Event:
    """One SSE frame with data."""

    frame: sse.Frame
    at: float
    """When its last byte arrived."""

    @property
    def value(self) -> Any:
        return read_json(self.frame.payload)


GONE = "ConnectionRefusedError"
"""Begins the problem of a request to a server that is not there."""
CLOSED = "the connection was closed before the status line"
"""The problem of a request to a server that breaks off, or that ends meanwhile."""


class NoStatus(int):
    """The status, 0, of an exchange without a status line."""

    def __str__(self) -> str:
        return "no response"


@dataclass(frozen=True)
class Exchange:
    request: Request
    status: int
    """NoStatus if no status line came."""
    headers: Headers
    chunks: tuple[Chunk, ...]
    end: End
    seconds: float
    """The time from the last byte of the request to the end of the response."""
    problem: str = ""
    """The error that ended the transfer; empty if there was none."""

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def media_type(self) -> str:
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    @cached_property
    def body(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @cached_property
    def fields(self) -> Any:
        """The JSON of the body; MISSING if it is not JSON."""
        return read_json(self.body)

    def field(self, name: str) -> Any:
        """A field of the JSON object; MISSING if it is absent or the body is no object."""
        return field(self.fields, name)

    @cached_property
    def frames(self) -> tuple[sse.Frame, ...]:
        return sse.parse(self.body)

    @cached_property
    def data_events(self) -> tuple[Event, ...]:
        """Every frame with data, except `[DONE]`, which clients skip."""
        return tuple(
            Event(frame, self.arrival(frame.stop))
            for frame in self.frames
            if frame.data and frame.payload.strip() != b"[DONE]"
        )

    @cached_property
    def events(self) -> list[Fields]:
        """The JSON objects among the events."""
        values = [event.value for event in self.data_events]
        return [value for value in values if isinstance(value, Fields)]

    @property
    def tokens(self) -> list[str]:
        """The text increments that a client shows."""
        tokens = [event["token"] for event in self.events]
        return [token for token in tokens if isinstance(token, str) and token]

    @property
    def finals(self) -> list[Fields]:
        return [event for event in self.events if event["done"] is True]

    def arrival(self, offset: int) -> float:
        """The time at which the byte before `offset` arrived."""
        index = bisect_left(self._ends, offset)
        return self.chunks[index].at if index < len(self.chunks) else self.seconds

    @cached_property
    def _ends(self) -> list[int]:
        """The offset after each chunk."""
        return [*accumulate(len(chunk.data) for chunk in self.chunks)]


def read_json(body: bytes) -> Any:
    """MISSING if it is not JSON."""
    try:
        return parse_json(body)
    except ValueError:
        return MISSING


def parse_json(body: bytes) -> Any:
    """Lenient: the checks find NaN, repeated keys and bad UTF-8. Raises ValueError."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=Fields)
    except RecursionError as ex:
        raise ValueError("nested too deeply") from ex


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def items(value: object) -> list[Any]:
    """The items of a JSON array; empty for any other value."""
    return value if isinstance(value, list) else []


def field(value: object, name: str) -> Any:
    """A field of a JSON object; MISSING if it is absent or the value is no object."""
    return value[name] if isinstance(value, Fields) else MISSING
