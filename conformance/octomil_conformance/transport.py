"""Real sockets, read piece by piece. Every wait ends at the deadline, whatever the server does; proxies, redirects, cookies, ~/.netrc: none."""

import io
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.exchange import Chunk, End, Exchange, Request

READ = 65536


class _Raw(io.RawIOBase):
    """A socket to read from. Each read may wait until the deadline and no longer."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(_left(self._deadline))
        return self._connection.recv_into(buffer)


@dataclass(frozen=True)
class _File:
    """As much of a socket as HTTPResponse wants to see."""

    raw: _Raw

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.raw, READ)


class Transfer:
    """A request on its way. Iterate it for what it has read so far each time something arrives; `finish` or `hang_up` gives the exchange."""

    def __init__(
        self, request: Request, deadline: float, observe: Callable[[Exchange], None]
    ) -> None:
        self.request = request
        self._observe = observe
        self._deadline = deadline
        self._chunks: list[Chunk] = []
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._end: End = "nothing"
        self._problem = ""
        self._stopped: float | None = None
        self._connection: socket.socket | None = None
        self._sent = time.monotonic()
        with self._noting_problems():
            self._send()
        self._pieces = self._read()

    def __iter__(self) -> Iterator[Exchange]:
        for chunk in self._pieces:
            self._chunks.append(chunk)
            yield self.so_far()

    def until_text(self, length: int) -> str:
        """Reads on until the tokens make so many characters, or the answer ends without them. They may be cut anew."""
        text = "".join(self.so_far().tokens)
        while len(text) < length and next(iter(self), None):
            text = "".join(self.so_far().tokens)
        return text

    def finish(self) -> Exchange:
        self._chunks.extend(self._pieces)
        self._observe(self.so_far())
        return self.so_far()

    def hang_up(self) -> Exchange:
        """Closes the connection as a client that left does."""
        self._end = "hung up"
        self.close()
        self._observe(self.so_far())
        return self.so_far()

    def close(self) -> None:
        """Again and again, if need be."""
        self._pieces.close()
        if self._connection is not None:
            self._connection.close()

    def so_far(self) -> Exchange:
        return Exchange(
            self.request,
            self._status,
            self._headers,
            tuple(self._chunks),
            self._end,
            round((self._stopped or time.monotonic()) - self._sent, 4),
            self._problem,
        )

    def _send(self) -> None:
        self._connection = connect(self.request.url, self._deadline)
        self._sent = time.monotonic()
        self._connection.settimeout(_left(self._deadline))
        with suppress(BrokenPipeError, ConnectionResetError):
            # It may have answered before it read everything: look.
            self._connection.sendall(_head(self.request) + self.request.body)

    def _read(self) -> Generator[Chunk]:
        if self._connection is None or self._problem:
            return
        try:
            with self._noting_problems():
                yield from self._answer(self._connection)
        finally:
            self._stopped = time.monotonic()
            self._connection.close()

    def _answer(self, connection: socket.socket) -> Iterator[Chunk]:
        file = _File(_Raw(connection, self._deadline))
        response = HTTPResponse(file, method=self.request.method)  # type: ignore[arg-type]
        response.begin()
        self._status = response.status
        self._headers = tuple(response.getheaders())
        self._end = "cut"
        decode = _decoder(response.getheader("Content-Encoding"))
        for data in self._body(response):
            plain = decode(data)
            if plain:
                yield Chunk(round(time.monotonic() - self._sent, 4), plain)

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._end = "deadline" if self._status else "nothing"
            what = "nothing more" if self._status else "no answer"
            self._problem = f"{what} within {self._deadline - self._sent:.1f} s"
        except (OSError, HTTPException, zlib.error, ValueError) as ex:
            self._problem = f"{type(ex).__name__}: {ex}"

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        """Each piece as it arrives. http.client of 3.11 forgets what read1 took off a Content-Length, so that is counted here."""
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


def connect(url: str, deadline: float) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    address = parts.hostname or "", parts.port or (443 if secure else 80)
    connection = socket.create_connection(address, _left(deadline))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return connection
    return ssl.create_default_context().wrap_socket(
        connection, server_hostname=parts.hostname
    )


def _head(request: Request) -> bytes:
    parts = urlsplit(request.url)
    lines = [f"{request.method} {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _decoder(coding: str | None) -> Callable[[bytes], bytes]:
    if coding is None or coding.strip().lower() in ("", "identity"):
        return bytes
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress
