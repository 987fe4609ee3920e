"""A recorded exchange, and which of its parts were not recorded. A check that needs a missing part is not judged."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from octomil_conformance.config import BASE_PATH, METHODS, PATHS
from octomil_conformance.exchange import Exchange, Fields, Request
from octomil_conformance.expect import NotRecorded
from octomil_conformance.requirement import Check

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
    **dict.fromkeys(("body", "text", "fields", "field", "frames"), "body"),
    **dict.fromkeys(("data_events", "events", "tokens", "finals"), "body"),
    "end": "end",
    "seconds": "times",
}
"""The part of a recording that an attribute of an exchange comes from."""

OF_BYTES = ("STREAM-08",)
"""Requirements that decoded text cannot show: the decoder has removed the byte order mark."""


@dataclass(frozen=True)
class Recording:
    name: str
    """The file as it was given; for a HAR with the number of the entry."""
    exchange: Exchange
    lacks: frozenset[Part] = frozenset()
    is_failure: bool = False
    """The server was meant to refuse: it is judged as a failure, not as an answer."""

    @classmethod
    def of(
        cls, name: str, exchange: Exchange, lacks: Iterable[Part], kind: str | None
    ) -> "Recording":
        """`kind` is answer or failure. If it is None the status decides; a health report is an answer with any status."""
        refused = exchange.status >= 400 and exchange.request.profile != "health"
        is_failure = kind == "failure" if kind else refused
        return cls(name, exchange, frozenset(lacks), is_failure)

    @property
    def profile(self) -> str:
        return self.exchange.request.profile or ""


def request_for(profile: str, body: bytes, file: str = "") -> Request:
    """The usual request for this profile."""
    path = BASE_PATH + PATHS[profile]
    return Request(METHODS[profile], path, (), body, profile, file)


def look(check: Check, recording: Recording) -> None:
    """Runs a check of the wire. Raises NotRecorded if it needs a missing part, or passed only because of a guess."""
    if "bytes" in recording.lacks and check.requirement.id in OF_BYTES:
        raise NotRecorded(WORDS["bytes"])
    seen = _Seen(recording)
    check(seen)
    if seen.guess.was_right:
        raise NotRecorded(WORDS["request"])


class _Seen:
    """An exchange whose missing parts raise NotRecorded."""

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
    """The requested model if the request was not recorded. It equals every text: any name in an answer is right."""

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
