"""The HTTP client of the suite: real sockets, read piece by piece.

Every wait ends at the deadline. It uses no proxies, redirects, cookies or ~/.netrc.
"""

import io
import select
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import (
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.exchange import CLOSED, Chunk, End, Exchange, NoStatus, Request

READ = 65536

AFTER_A_PIECE = 0.02
"""Seconds to wait after a piece of a body that was held back."""

CONTINUE = 1.0
"""Seconds to wait for `100 Continue`. After that the body is sent anyway, as curl does."""

CLOSES_WITHIN = 0.02
"""Seconds after a response in which a server closes a connection that it does not keep, even if it does not say so."""

INTERIM = (102, 103)
"""Statuses that precede the response. http.client skips only 100."""


class Transfer:
    """A request on its way. Iterate over it for the exchange so far, each time something has arrived.

    `finish` and `hang_up` return the exchange. Nothing here raises: `error` says why the transfer broke off.
    """

    def __init__(
        self,
        request: Request,
        deadline: float,
        observe: Callable[[Exchange], object] = lambda exchange: None,
        keep: bool = False,
        after: "Transfer | None" = None,
        held: int = 0,
        most: int | None = None,
    ) -> None:
        """With `keep` the connection stays open for another request. `after` is a complete transfer whose connection is used again.

        `held`: the number of bytes at the end of the body that only `go_on` sends. `most`: the largest number of spaces after the body.
        """
        self.request = request
        self.status: int = NoStatus()
        self.error: Exception | None = None
        self._observe = observe
        self._deadline = deadline
        self._chunks: list[Chunk] = []
        self._headers: tuple[tuple[str, str], ...] = ()
        self._end: End = "nothing"
        self._problem = ""
        self._stopped: float | None = None
        self._keep = keep
        self._held = held
        self._most = request.padding if most is None else most
        self._rest = b""
        self._closes = True
        self._connection = after.release() if after else None
        self._early: bytes = after._early if after else b""
        self._sent = time.monotonic()
        with self._noting_problems():
            self._send()
        self._pieces = self._read()

    def __iter__(self) -> Iterator[Exchange]:
        for _ in self.pieces():
            yield self.so_far()

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the body, as they arrive."""
        for chunk in self._pieces:
            self._chunks.append(chunk)
            yield chunk.data

    @property
    def is_connected(self) -> bool:
        """True if the server accepted the connection."""
        return self._connection is not None

    def wait_for_response(self, seconds: float) -> bool:
        """Waits until a part of the response has arrived or the connection was closed. False if neither happens within `seconds`."""
        return self._connection is None or self._has_heard(self._connection, seconds)

    def go_on(self, more: int = 0) -> None:
        """Sends the rest of the body and `more` spaces in two pieces. The second fails if the server closed the connection."""
        rest = self._rest + b" " * more
        with self._noting_problems():
            for piece in filter(None, (rest[:-1], rest[-1:])):
                if self._connection is not None:
                    self._connection.sendall(piece)
                    time.sleep(AFTER_A_PIECE)

    def wait_until(self, deadline: float) -> None:
        """Change the deadline."""
        self._deadline = deadline

    def until_text(self, length: int) -> str:
        """Reads until the tokens have `length` characters in all, or the stream ends. The server may split tokens differently."""
        text = "".join(self.so_far().tokens)
        while len(text) < length and next(iter(self), None):
            text = "".join(self.so_far().tokens)
        return text

    def finish(self) -> Exchange:
        for _ in self.pieces():
            pass
        return self._observed()

    def hang_up(self) -> Exchange:
        """Closes the connection, as a client that leaves does."""
        self._end = "hung up"
        self.close()
        return self._observed()

    def close(self) -> None:
        """May be called again."""
        self._pieces.close()
        if self._connection is not None:
            self._connection.close()

    def release(self) -> socket.socket | None:
        """The connection for the next request; None if the server closes it."""
        if self._connection is None or not self._is_kept:
            return None
        self._early = b""
        if self._has_heard(self._connection, CLOSES_WITHIN) and not self._early:
            self._connection.close()
            return None
        return self._connection

    @property
    def _is_kept(self) -> bool:
        return self._keep and not self._closes and self._end == "complete"

    def break_off(self) -> None:
        """Ends the transfer. A thread other than the reader may call it."""
        if self._connection is not None:
            with suppress(OSError):  # it is closed already
                self._connection.shutdown(socket.SHUT_RDWR)

    def _observed(self) -> Exchange:
        exchange = self.so_far()
        self._observe(exchange)
        return exchange

    def so_far(self) -> Exchange:
        return Exchange(
            self.request,
            self.status,
            self._headers,
            tuple(self._chunks),
            self._end,
            round((self._stopped or time.monotonic()) - self._sent, 4),
            self._problem,
        )

    def _send(self) -> None:
        connection = self._connection or _connect(self.request.url, self._left())
        self._connection = connection
        self._sent = time.monotonic()
        connection.settimeout(self._left())
        with suppress(BrokenPipeError, ConnectionResetError):
            # The server may have answered before it read everything: look.
            head = _head(self.request)
            if any(name.lower() == "expect" for name, _ in self.request.headers):
                connection.sendall(head)
                select.select([connection], [], [], CONTINUE)
                head = b""
            body = self.request.body
            self._rest = body[len(body) - self._held :]
            connection.sendall(head + body[: len(body) - self._held])
            self._send_padding(connection)

    def _send_padding(self, connection: socket.socket) -> None:
        left = self._most
        # A connection can only be used again when the whole body was sent, even if the response came before that.
        heard = [] if self._keep else [connection]
        while left:
            given, ready, _ = select.select(heard, [connection], [], self._left())
            if given and self._has_heard(connection, 0):
                return
            if ready:
                left -= connection.send(b" " * min(left, READ))

    def _has_heard(self, connection: socket.socket, seconds: float) -> bool:
        """True if a part of the response has arrived, or the connection was closed."""
        if self._early:
            return True
        byte = _heard(connection, seconds)
        self._early = byte or b""
        return byte is not None

    def _read(self) -> Generator[Chunk]:
        if self._connection is None:
            return
        try:
            if self.error is None:
                with self._noting_problems():
                    yield from self._response(self._connection)
        finally:
            self._stopped = time.monotonic()
            if not self._is_kept:
                self._connection.close()

    def _response(self, connection: socket.socket) -> Iterator[Chunk]:
        file = _File(connection, self._left, self._early)
        with self._begun(file) as response:
            self.status = response.status
            self._headers = tuple((n, v.strip()) for n, v in response.getheaders())
            self._closes = _closes(response)
            self._end = "cut"
            decode = _decoder(response.getheader("Content-Encoding"))
            for data in self._body(response):
                plain = decode(data)
                if plain:
                    yield Chunk(round(time.monotonic() - self._sent, 4), plain)

    def _begun(self, file: "_File") -> HTTPResponse:
        """The response, whose head has been read."""
        while True:
            response = HTTPResponse(file, method=self.request.method)  # type: ignore[arg-type]
            with ExitStack() as unless_begun:
                unless_begun.callback(response.close)
                response.begin()
                if response.status not in INTERIM:
                    unless_begun.pop_all()
                    return response

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as ex:
            self.error = ex
            self._end = "deadline" if self.status else "nothing"
            what = "nothing more" if self.status else "no response"
            self._problem = f"{what} within {self._deadline - self._sent:.1f} s"
        except RemoteDisconnected as ex:
            self.error = ex
            self._problem = CLOSED
        except (OSError, HTTPException, zlib.error, ValueError) as ex:
            self.error = ex
            self._problem = f"{type(ex).__name__}: {ex}"

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        """Each piece as it arrives. http.client of 3.11 does not count what read1 takes off a Content-Length, so it is counted here."""
        if response.chunked:
            try:
                while data := response.read1(READ):
                    yield data
            except IncompleteRead as ex:
                raise HTTPException("the terminating chunk is missing") from ex
            self._end = "complete"
        elif response.length is None:
            while data := response.fp.read1(READ):
                yield data
            self._end = "closed"
        else:
            left = response.length
            while left:
                data = response.fp.read1(min(left, READ))
                if not data:
                    raise HTTPException(f"{left} bytes of the body are missing")
                left -= len(data)
                yield data
            self._end = "complete"

    def _left(self) -> float:
        """Seconds until the deadline. Raises TimeoutError when it has passed."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Buffer(io.BufferedReader):
    """Interim responses and the one after them read from it, so the end of one does not close it."""

    def close(self) -> None:
        pass


class _File(io.RawIOBase):
    """A socket with the methods that HTTPResponse uses. Each read may last until the deadline and no longer."""

    def __init__(
        self, connection: socket.socket, left: Callable[[], float], early: bytes
    ) -> None:
        """`early`: a byte that has been read already, or none."""
        self._connection, self._left, self._early = connection, left, early
        self._buffer = _Buffer(self, READ)

    def makefile(self, mode: str) -> io.BufferedReader:
        return self._buffer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._early:
            buffer[:1], self._early = self._early, b""
            return 1
        self._connection.settimeout(self._left())
        return self._connection.recv_into(buffer)


def _connect(url: str, timeout: float) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    address = parts.hostname or "", parts.port or (443 if secure else 80)
    connection = socket.create_connection(address, timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return connection
    return ssl.create_default_context().wrap_socket(
        connection, server_hostname=parts.hostname
    )


def _heard(connection: socket.socket, seconds: float) -> bytes | None:
    """The next byte, empty if the connection was closed, or None if neither happens within `seconds`.

    Over TLS a socket can be readable without one: servers send session tickets.
    """
    end = time.monotonic() + seconds
    timeout = connection.gettimeout()
    connection.settimeout(0)
    try:
        while select.select([connection], [], [], max(0, end - time.monotonic()))[0]:
            with suppress(BlockingIOError, ssl.SSLWantReadError):
                return connection.recv(1)
        return None
    except OSError:
        return b""
    finally:
        connection.settimeout(timeout)


def _head(request: Request) -> bytes:
    parts = urlsplit(request.url)
    query = f"?{parts.query}" if parts.query else ""
    target = request.target or f"{parts.path or '/'}{query}"
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _closes(response: HTTPResponse) -> bool:
    """True if the connection is closed after the response. Over HTTP/1.0 that is the rule."""
    connection = (response.getheader("Connection") or "").lower()
    return "close" in connection or (
        response.version == 10 and "keep-alive" not in connection
    )


def _decoder(coding: str | None) -> Callable[[bytes], bytes]:
    if coding is None or coding.strip().lower() in ("", "identity"):
        return bytes
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress
