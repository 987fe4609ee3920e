"""The response of a script to one request: it can send any bytes, wait, watch its client leave, and break the connection."""

import json
import math
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import responses
from typing import Any, BinaryIO
from urllib.parse import urlsplit

POLL = 0.05
"""Seconds between two checks whether the upstream was stopped."""

LOOK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
"""The flags are joined once, because joining them takes longer than the call that uses them."""
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=asdict)


class ClientLeft(ConnectionError):
    """The client closed the connection while a script was answering. This ends the script; it is not a failure."""


class Stopped(Exception):
    """The upstream was closed while a script was answering. This ends the script; it is not a failure."""


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    target: str
    """The path and the query as they were sent."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """The body without transfer coding."""
    version: str
    connection_id: int
    """The number of the TCP connection, from 1."""
    nth: int
    """Counts the requests of one connection, from 1."""
    unread: int = 0
    """Announced bytes of a body that is too large, which were not read."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One accepted connection. Only the thread that serves it closes it."""

    def __init__(self, sock: socket.socket, connection_id: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.reader: BinaryIO = sock.makefile("rb")
        self.connection_id = connection_id

    @property
    def closed(self) -> bool:
        return self.reader.closed

    def close(self) -> None:
        self.reader.close()
        self.socket.close()

    def shut_down(self) -> None:
        """Wakes a thread that is blocked on this connection."""
        with suppress(OSError):  # it is closed already
            self.socket.shutdown(socket.SHUT_RDWR)


class Response:
    """The response to one request.

    `answer`, `json` and `end_chunks` complete it, so that the connection is kept. A script that ends otherwise, or
    sends everything itself and does not set `keep_alive`, closes the connection when it returns.

    Sending raises ClientLeft when the client is gone, and Stopped when the upstream was closed.
    """

    def __init__(
        self,
        request: Received,
        wire: Wire,
        stopped: threading.Event,
        on_complete: Callable[[], None],
    ) -> None:
        self.request = request
        self.wire = wire
        self.stopped = stopped
        """Set when the upstream is closed."""
        self.keep_alive = False
        self._on_complete = on_complete
        self._chunked = True
        self._coder: Any = None
        """Compresses the body; None if it is sent as it is."""

    def compress(self) -> None:
        """Compresses the body that follows, if the client accepts gzip."""
        if "gzip" in self.request.headers.get("accept-encoding", ""):
            self._coder = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    def send(self, data: bytes) -> None:
        """Sends exactly these bytes, at once."""
        if self.wire.closed:
            raise RuntimeError("the script sends after it closed the connection")
        try:
            if is_closed(self.wire.socket):
                raise ConnectionError
            self.wire.socket.sendall(data)
        except OSError as error:
            self._check_stopped()
            raise ClientLeft from error

    def head(self, status: int = 200, **headers: str) -> None:
        """Sends the status line and headers. Without a length the body ends with the connection."""
        self.send(head_of(status, _titled(headers)))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Sends a whole response of known length."""
        body = self._coded(body, zlib.Z_FINISH)
        given = {**headers, **self._coding, "content_length": str(len(body))}
        head = head_of(status, _titled(given))
        self.complete(headers.get("connection", ""))
        self.send(head if self.request.method == "HEAD" else head + body)

    def json(self, status: int, value: Any, **headers: str) -> None:
        """Sends a whole response of JSON."""
        headers.setdefault("content_type", "application/json; charset=utf-8")
        self.answer(status, compact(value), **headers)

    def start_chunked(
        self, content_type: str, status: int = 200, first: bytes = b""
    ) -> None:
        """Begins a body in chunks, with its first chunk if there is one; for HTTP/1.0, a body that ends with the connection."""
        self._chunked = self.request.version != "HTTP/1.0"
        coding = {"transfer_encoding": "chunked"} if self._chunked else {}
        given = {"content_type": content_type, "cache_control": "max-age=60"}
        given |= coding | self._coding
        self.send(head_of(status, _titled(given)) + self._framed(first))

    def chunk(self, data: bytes) -> None:
        self.send(self._framed(data))

    def end_chunks(self, last: bytes = b"") -> None:
        """Sends the last chunk, if there is one, and ends the body."""
        self.complete()
        whole = self._framed(last, zlib.Z_FINISH)
        self.send(whole + (b"0\r\n\r\n" if self._chunked else b""))

    @property
    def _coding(self) -> dict[str, str]:
        return {"content_encoding": "gzip"} if self._coder else {}

    def _coded(self, data: bytes, flush: int) -> bytes:
        coder = self._coder
        return coder.compress(data) + coder.flush(flush) if coder else data

    def _framed(self, data: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
        data = self._coded(data, flush)
        is_chunk = self._chunked and data
        return b"%x\r\n%b\r\n" % (len(data), data) if is_chunk else data

    def complete(self, connection: str = "") -> None:
        """Keeps the connection unless one side said otherwise. Called before the last byte, after which a client may use it."""
        asked = self.request.headers.get("connection", "")
        closes = "close" in (asked.lower(), connection.lower())
        self.keep_alive = not closes and self.request.version != "HTTP/1.0"
        if self.keep_alive:
            self._on_complete()

    def close(self) -> None:
        """Ends the connection in order (FIN), wherever the response is."""
        self.keep_alive = False
        self.wire.close()

    def reset(self) -> None:
        """Breaks the connection (RST)."""
        self.keep_alive = False
        if not self.wire.closed:
            linger = struct.pack("ii", 1, 0)
            self.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.wire.close()

    def wait(self, event: threading.Event, timeout: float = 120.0) -> None:
        """Waits for the test to set `event`."""
        end = time.monotonic() + timeout
        while not event.wait(POLL):
            self._check_stopped()
            if time.monotonic() > end:
                raise TimeoutError(f"the event was not set within {timeout} s")

    def wait_for_hangup(self, timeout: float = 60.0) -> bool:
        """True once the client closed its side; False when it stays or sends more."""
        self.wire.socket.settimeout(timeout)
        try:
            gone = self.wire.socket.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            gone = False
        except OSError:
            gone = True
        finally:
            self.wire.socket.settimeout(None)
        self._check_stopped()
        return gone

    def check(self) -> None:
        """Raises Stopped if the upstream was closed, ClientLeft if the client closed its side."""
        self._check_stopped()
        if is_closed(self.wire.socket):
            raise ClientLeft

    def _check_stopped(self) -> None:
        if self.stopped.is_set():
            raise Stopped


def head_of(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {responses.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _titled(headers: Mapping[str, str]) -> dict[str, str]:
    """`content_type` becomes `Content-Type`. Each response has an id that is not for the server's client."""
    given = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return {"X-Request-Id": "conf-of-the-upstream"} | given


def is_closed(connection: socket.socket) -> bool:
    """True if the other end closed the connection: the socket is readable, but has no bytes."""
    try:
        return not connection.recv(1, LOOK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def compact(value: object) -> bytes:
    """JSON as servers in Go and C++ write it: UTF-8, no blanks. Half a surrogate pair is an escape, `\\ud83c`, as in JavaScript."""
    return COMPACT.encode(value).encode(errors="backslashreplace")


def read_request(wire: Wire, nth: int, most: float = math.inf) -> Received | None:
    """The next request, or None if the client closed the connection before it. Raises ValueError for broken framing.

    If a body has more than `most` bytes, one byte more is read.
    """
    start = wire.reader.readline()
    if not start:
        return None
    method, target, version = start.decode("ascii").split()
    headers = _read_headers(wire.reader)
    if headers.get("expect", "").lower() == "100-continue":
        wire.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, unread = _read_chunks(wire.reader, most)
    else:
        length = int(headers.get("content-length") or 0)
        body = _read_exactly(wire.reader, length, most)
        unread = length - len(body)
    urlsplit(target)  # raises ValueError for a bracket that is not closed
    where = wire.connection_id, nth
    return Received(method, target, headers, body, version, *where, unread)


def _read_headers(reader: BinaryIO) -> dict[str, str]:
    headers = {}
    while (line := reader.readline()) not in (b"\r\n", b"\n"):
        if not line:
            raise ConnectionError("the client left in the middle of its request")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _read_chunks(reader: BinaryIO, most: float) -> tuple[bytes, int]:
    """The body, and the number of bytes that were not read of a chunk that is too large."""
    body = b""
    while size := int(reader.readline().partition(b";")[0], 16):
        body += _read_exactly(reader, size, most)
        if size > most:
            return body, size - int(most + 1)
        body = body[: int(min(most + 1, len(body)))]
        if reader.readline() != b"\r\n":
            raise ValueError("a chunk of the request has the wrong length")
    _read_headers(reader)  # trailers, and the blank line
    return body, 0


def _read_exactly(reader: BinaryIO, size: int, most: float) -> bytes:
    """`size` bytes, but at most one more than `most`."""
    if size < 0:
        raise ValueError(f"{size} is no length")
    wanted = int(min(size, most + 1))
    data = reader.read(wanted)
    if len(data) < wanted:
        raise ConnectionError("the client left in the middle of its request")
    return data
