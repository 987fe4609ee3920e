"""Gives a server a port. It sends each piece of a body at once, and breaks a transfer off when the body does.

It leaves header names as they are given. The scripted upstream below it has a thread for each connection.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from email.utils import formatdate
from functools import partial
from urllib.parse import urlsplit

from octomil_conformance.backend.response import Received, head_of, is_closed
from octomil_conformance.backend.response import Response as Wired
from octomil_conformance.backend.upstream import ANY_PORT, Address, Upstream
from octomil_conformance.server.layers import (
    MAX_BODY,
    Client,
    Request,
    Response,
    Server,
)

LOOK_EVERY = 0.05
"""Seconds between two checks whether the clients are still there."""


@contextmanager
def serving(ask: Server, token: str = "", address: Address = ANY_PORT) -> Iterator[str]:
    """Yields the URL of the server. Raises CannotListen."""
    with closing(Watch()) as watch:
        script = partial(_answer, ask, token, watch)
        upstream = Upstream(address, script, most=MAX_BODY, kept=0)
        try:
            yield upstream.url
        finally:
            upstream.close(max_wait=0)  # a mutant may wait for long


class Watch:
    """Ends the upstream calls for clients that close their connection while they wait. One thread looks at all of them."""

    def __init__(self) -> None:
        self._waiting: dict[Client, Wired] = {}
        self._is_over = False
        self._changed = threading.Condition()
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def over(self, client: Client, wired: Wired) -> Iterator[None]:
        with self._changed:
            self._waiting[client] = wired
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._waiting[client]

    def close(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def _look(self) -> None:
        while not self._is_over:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over)
                self._changed.wait_for(lambda: self._is_over, LOOK_EVERY)
                waiting = [*self._waiting.items()]
            for client, wired in waiting:
                if is_closed(wired.wire.socket):
                    client.leave()


def _answer(ask: Server, token: str, watch: Watch, wired: Wired) -> None:
    """Answers one request and sends the response."""
    request = _request(wired.request, token)
    drops = False
    try:
        with watch.over(request.client, wired):
            response = ask(request)
        drops = response.drops
        try:
            _send(response, wired)
        finally:
            response.close()
    except Exception:  # noqa: BLE001 - an error of the application, or a client that has left
        wired.keep_alive = False
    if not drops:
        _drain(wired)


def _request(received: Received, token: str) -> Request:
    return Request(
        received.method,
        received.path,
        dict(received.headers),
        received.body,
        token,
        query=urlsplit(received.target).query,
        nth=received.nth,
    )


def _drain(wired: Wired) -> None:
    """Reads the rest of a body that is too large: the client loses the response if the connection closes before."""
    unread = wired.request.unread
    with suppress(OSError):
        while unread > 0 and (data := wired.wire.reader.read(min(unread, MAX_BODY))):
            unread -= len(data)


def _send(response: Response, wired: Wired) -> None:
    chunked, closes = _framing(response, wired.request)
    headers = {"Server": "octomil-conformance", "Date": formatdate(usegmt=True)}
    headers |= response.headers
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    if closes and "connection" not in map(str.lower, response.headers):
        headers["Connection"] = "close"
    head = head_of(response.status, headers)
    if wired.request.method == "HEAD":
        wired.send(head)
    elif isinstance(response.pieces, list):
        wired.send(head + b"".join(_framed(response.pieces, chunked)))
    else:
        wired.send(head)
        for piece in _framed(response.pieces, chunked):
            wired.send(piece)
    wired.keep_alive = not closes


def _framing(response: Response, received: Received) -> tuple[bool, bool]:
    """Whether the body is sent in chunks, and whether the connection is closed after it."""
    names = {name.lower(): value for name, value in response.headers.items()}
    has_length = "content-length" in names
    is_old = received.version == "HTTP/1.0"
    is_delimited = names.get("connection") == "close" or (is_old and not has_length)
    is_asked = received.headers.get("connection", "").lower() == "close"
    is_too_large = len(received.body) > MAX_BODY
    closes = is_delimited or is_old or is_asked or is_too_large
    return not has_length and not is_delimited, closes


def _framed(pieces: Iterable[bytes], chunked: bool) -> Iterator[bytes]:
    if not chunked:
        yield from pieces
        return
    yield from (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    yield b"0\r\n\r\n"
