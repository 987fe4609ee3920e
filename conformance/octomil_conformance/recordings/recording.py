"""An exchange that was written down, and what of it was not. A check that looks at what is not there comes to no verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from octomil_conformance.exchange import Exchange, Fields, Request
from octomil_conformance.findings import NotRecorded
from octomil_conformance.requirement import requirement_of

Part = Literal["status line", "headers", "body", "end", "times", "request", "bytes"]

WORDS: dict[Part, str] = {
    "status line": "no status was recorded",
    "headers": "no headers were recorded",
    "body": "the body was not recorded",
    "end": "how the transfer ended was not recorded",
    "times": "no arrival times were recorded",
    "request": "the request was not recorded",
    "bytes": "a HAR holds text, not the bytes",
}
LOOKED_AT: dict[str, Part] = {
    "status": "status line",
    "headers": "headers",
    "header": "headers",
    "media_type": "headers",
    **dict.fromkeys(("body", "text", "fields", "frames", "data_events"), "body"),
    **dict.fromkeys(("events", "tokens", "finals"), "body"),
    "end": "end",
    "seconds": "times",
}
"""Attribute of an exchange to the part of a recording it comes from."""

OF_BYTES = ("STREAM-08",)
"""What text that was once decoded cannot show: whoever decoded it took the byte order mark away."""


@dataclass(frozen=True)
class Recording:
    name: str
    """The file as it was given; with the number of the entry in a HAR."""
    exchange: Exchange
    lacks: frozenset[Part] = frozenset()
    is_failure: bool = False
    """The server was meant to refuse: held to the shape of failures, not to that of answers."""

    @classmethod
    def of(
        cls, name: str, exchange: Exchange, lacks: Iterable[Part], kind: str | None
    ) -> "Recording":
        """`kind`: answer or failure; None: the status tells, but of a health report, which is an answer at any."""
        refused = exchange.status >= 400 and exchange.request.profile != "health"
        is_failure = kind == "failure" if kind else refused
        return cls(name, exchange, frozenset(lacks), is_failure)

    @property
    def profile(self) -> str:
        return self.exchange.request.profile or ""


def look(check: Callable[[Exchange], None], recording: Recording) -> None:
    """The check on the recording. Raises NotRecorded where it has nothing to look at, or had to guess and found no fault."""
    if "bytes" in recording.lacks and requirement_of(check).id in OF_BYTES:
        raise NotRecorded(WORDS["bytes"])
    seen = _Seen(recording)
    check(cast(Exchange, seen))
    if seen.guess.was_right:
        raise NotRecorded(WORDS["request"])


class _Seen:
    """An exchange as a check may see it."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.guess = _AnyModel()

    @property
    def request(self) -> "Request | _UnknownRequest":
        if "request" in self._recording.lacks:
            return _UnknownRequest(_UnknownFields(model_id=self.guess))
        return self._recording.exchange.request

    def __getattr__(self, name: str) -> Any:
        part = LOOKED_AT.get(name)
        if part in self._recording.lacks:
            raise NotRecorded(WORDS[part])
        return getattr(self._recording.exchange, name)


class _AnyModel:
    """The model that was asked for, when nobody wrote it down: an answer that names none, or no text, is wrong all the same."""

    was_right = False

    def __eq__(self, other: object) -> bool:
        self.was_right = isinstance(other, str)
        return self.was_right

    def __repr__(self) -> str:
        return "the model that was asked for"


class _UnknownFields(Fields):
    def __missing__(self, key: str) -> Any:
        raise NotRecorded(WORDS["request"])


@dataclass(frozen=True)
class _UnknownRequest:
    fields: _UnknownFields
