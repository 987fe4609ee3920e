"""A request, a response, and layers between them. No sockets, no framework.

A server is a function from a request to a response. A layer is a function of a request and of the server below it.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

from octomil_conformance.backend.scenarios import alone

Json = dict[str, Any]
EVERY_STATUS = range(100, 600)

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request body that the server accepts. One more is read, so that the server can see that there are too many."""


class Client:
    """The client of one request. When it leaves, the upstream calls made for it end."""

    def __init__(self) -> None:
        self.has_left = False
        self._ends: list[Callable[[], object]] = []

    def on_leave(self, end: Callable[[], object]) -> None:
        self._ends.append(end)
        if self.has_left:
            end()

    def leave(self) -> None:
        self.has_left = True
        for end in self._ends:
            end()


CLIENT: ContextVar[Client] = ContextVar("client")
"""The client of the request that this thread answers, if it answers one alone."""


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    token: str = ""
    """The token that the server accepts, for layers that get past its authorization."""
    upstream: str = ""
    """Host and port of the first upstream, for layers that reveal it."""
    query: str = ""
    """The query of the URL, without the question mark."""
    nth: int = 1
    """Counts the requests of one connection, from 1."""
    scenario: str = ""
    """The scenario upstream: see scenarios.py. Empty without a model. A layer may change it."""
    client: Client = field(default_factory=Client)

    @property
    def played(self) -> str:
        """The scenario that decides the answer, through whichever upstream it comes."""
        return alone(self.scenario)

    @property
    def fields(self) -> Json:
        """The JSON object; a new empty one if the body is not an object."""
        try:
            value = json.loads(self.body.decode())
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def send(self, fields: Json) -> Self:
        self.body = json.dumps(fields).encode()
        return self


def parameters_in(fields: Json) -> Json:
    """The parameters of a request or of an input; a new empty object if they are none."""
    given = fields.get("parameters")
    return given if isinstance(given, dict) else {}


def messages_in(fields: Json) -> list[Json]:
    """The messages of a request or of an input that are objects."""
    return [each for each in fields.get("messages") or () if isinstance(each, dict)]


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    """By name as the client gets it."""
    pieces: Iterable[bytes]
    """Each piece is sent at once. An exception breaks the transfer off."""
    close: Callable[[], object] = lambda: None
    """Called when no more pieces are wanted."""
    drops: bool = False
    """True if the rest of the request is not read before the connection is closed."""

    @property
    def body(self) -> bytes:
        """The whole body. It can be read several times."""
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

    def fail(self, status: int, **fields: Any) -> Self:
        """Makes it a failure with this status, in the envelope too. The rest of an envelope stays as it is."""
        self.status = status
        envelope = {"error": "failed", "message": "No.", **self.fields}
        return self.send({**envelope, "status_code": status, **fields})

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


Server = Callable[[Request], Response]
Layer = Callable[[Request, Server], Response]


def around(server: Server, layer: Layer) -> Server:
    return lambda request: layer(request, server)


def on_streams(change: Callable[[Iterable[bytes]], Iterable[bytes]]) -> Layer:
    """The layer of a function from the pieces of a stream to other pieces."""

    def changed(request: Request, server: Server) -> Response:
        response = server(request)
        if response.is_stream:
            response.pieces = change(response.pieces)
        return response

    return changed


def on_json(
    change: Callable[[Json], object], statuses: Container[int] = EVERY_STATUS
) -> Layer:
    """The layer of a function that changes the JSON fields of a response, or returns other fields."""

    def changed(request: Request, server: Server) -> Response:
        response = server(request)
        if response.status not in statuses or response.is_stream or not response.body:
            return response
        fields = response.fields
        instead = change(fields)
        return response.send(fields if instead is None else instead)

    return changed


def frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The frames of a stream, each with its blank line, as soon as they are complete."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        yield from (frame + b"\n\n" for frame in whole)


def fields_of(frame: bytes) -> Json | None:
    """The JSON object of an event; None for a comment."""
    if not frame.startswith(b"data: "):
        return None
    fields: Json = json.loads(frame[6:])
    return fields


def frame_of(fields: Json) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


EVERY_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-Request-Id, Retry-After",
}
PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "*, Authorization",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
    "content-length": "0",
}


def cors(request: Request, server: Server) -> Response:
    """The layer that lets web pages of every origin call the server."""
    is_preflight = "access-control-request-method" in request.headers
    if request.method == "OPTIONS" and is_preflight:
        return Response(200, {**EVERY_ORIGIN, **PREFLIGHT}, [])
    response = server(request)
    response.headers |= EVERY_ORIGIN
    return response
