"""A request, an answer, and what stands between them. No sockets, no framework.

A server is a function of a request, to an answer. A layer is a function of a request and of the server below it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

Json = dict[str, Any]
EVERY_STATUS = range(100, 600)

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request's body that are understood. One more is read, for the server to see that it is too much."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    token: str = ""
    """The one that the server wants, for layers that hold its door open."""

    @property
    def fields(self) -> Json:
        """The JSON object, or an empty one that goes nowhere."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def send(self, fields: Json) -> Self:
        self.body = json.dumps(fields).encode()
        return self


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    """By name as the client gets it."""
    pieces: Iterable[bytes]
    """Each leaves at once. An exception breaks the transfer off."""
    close: Callable[[], object] = lambda: None
    """To be called when no more pieces are wanted."""

    @property
    def body(self) -> bytes:
        """All of it, read once; what comes later reads it again."""
        if not isinstance(self.pieces, list):
            self.pieces = [b"".join(self.pieces)]
        return b"".join(self.pieces)

    @property
    def fields(self) -> Json:
        fields: Json = json.loads(self.body)
        return fields

    def send(self, value: object) -> Self:
        return self.send_bytes(json.dumps(value).encode())

    def send_bytes(self, data: bytes) -> Self:
        self.pieces = [data]
        if self.headers.pop("content-length", None):
            self.headers["content-length"] = str(len(data))
        return self

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


Ask = Callable[[Request], Answer]
Layer = Callable[[Request, Ask], Answer]


def around(server: Ask, layer: Layer) -> Ask:
    return lambda request: layer(request, server)


def on_streams(change: Callable[[Iterable[bytes]], Iterable[bytes]]) -> Layer:
    """For a function of the pieces of a stream, to others."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream:
            answer.pieces = change(answer.pieces)
        return answer

    return changed


def on_json(change: Callable[[Json], object], statuses: range = EVERY_STATUS) -> Layer:
    """For a function that changes the JSON fields of an answer, or returns others."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.status not in statuses or answer.is_stream or not answer.body:
            return answer
        fields = answer.fields
        instead = change(fields)
        return answer.send(fields if instead is None else instead)

    return changed
