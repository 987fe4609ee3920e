"""The connections to one upstream, taught what requests cannot do: every read keeps to a deadline, the head of an answer
included; an answer that drips does not escape it; chunks that arrived together are read together; and a connection that
died tells whether it was worth a retry."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from octomil_ref.clock import Deadline

POOL_SIZE = 256
"""Idle connections kept, at most: more than a process has threads."""

BUFFER_BYTES = 16 * 1024
"""What one read takes from a socket, at most: some ninety tokens in the OpenAI dialect, which is the wordier one."""


class StaleConnection(OSError):
    """A pooled connection turned out dead before the first byte of its answer."""


class PooledAdapter(HTTPAdapter):
    """Sends to one upstream: `pool` is found once, not again for each request."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=POOL_SIZE)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._pool: HTTPConnectionPool | None = None

    def get_connection_with_tls_context(
        self, *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Without a look for a proxy."""
        return str(request.path_url)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Without cookies, which nobody reads."""
        response = requests.Response()
        response.status_code, response.headers = resp.status, resp.headers
        response.raw, response.request = resp, req
        return response

    def forget_connections(self) -> None:
        """Close those that are idle."""
        self._pool = None
        self.poolmanager.clear()


@contextmanager
def reading_until(deadline: Deadline) -> Iterator[None]:
    """Answers whose head arrives on this thread meanwhile are read against `deadline`, to their end."""
    _current.deadline = deadline
    try:
        yield
    finally:
        del _current.deadline


_current = threading.local()


class _Reader(io.RawIOBase):
    """What a socket receives. Raises TimeoutError once the deadline has passed."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._hold = sock.makefile("rb", buffering=0)  # the socket stays open with it
        self._deadline = deadline
        self.received = False

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks its socket for, to read an answer from."""
        return io.BufferedReader(self, BUFFER_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(remaining)
        size = self._sock.recv_into(buffer)
        self.received = self.received or bool(size)
        return size

    def close(self) -> None:
        self._hold.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose chunks are read together where they arrived together."""

    chunk_left: int | None
    """http.client's own: bytes of the chunk that it is in; 0 at the chunk's line end, None at the next one's size."""

    def read1(self, n: int = -1) -> bytes:
        """What has arrived, at least one byte until the end; of a body in chunks it may be more than `n`.

        Who reads chunk by chunk pays the way through all layers for each of them, which for a stream of tokens is most of
        the work. So the chunks that are buffered as a whole are taken at once; all others are http.client's.
        """
        if self.chunked and self.fp and not self.chunk_left:
            if self.chunk_left == 0:
                self.fp.read(2)
                self.chunk_left = None
            data, end = whole_chunks(self.fp.peek())
            if end:
                self.fp.read(end)
                return data
        return super().read1(n)


def whole_chunks(buffered: bytes) -> tuple[bytes, int]:
    """The data of the chunks that stand whole at the beginning of `buffered`, and where they end (RFC 9112 section 7.1).

    The last chunk, of size 0, and anything that is not understood is left where it is.
    """
    pieces, end = [], 0
    while start := buffered.find(b"\n", end) + 1:
        try:
            size = int(buffered[end:start].partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0 or buffered[start + size : start + size + 2] != b"\r\n":
            break
        pieces.append(buffered[start : start + size])
        end = start + size + 2
    return b"".join(pieces), end


class _Observed:
    """Mixed into both kinds of connection."""

    sock: socket.socket | None
    _answers = 0
    """How many this connection has brought since it was opened."""
    _unsent: list[bytes]
    """The parts of a request, collected: head and body leave in one write."""

    def connect(self) -> None:
        self._answers = 0
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._unsent = []
        super().request(*args, **kwargs)  # type: ignore[misc]
        try:
            super().send(b"".join(self._unsent))  # type: ignore[misc]
        except OSError as ex:
            if self._is_stale(ex):
                raise StaleConnection from ex
            raise

    def send(self, data: Any) -> None:
        self._unsent.append(data)

    def getresponse(self) -> Any:
        assert self.sock
        reader: Any = _Reader(self.sock, _current.deadline)  # a socket to http.client
        self.response_class: Any = lambda sock, **kwargs: _Response(reader, **kwargs)
        try:
            response = super().getresponse()  # type: ignore[misc]
        except OSError as ex:
            if self._is_stale(ex) and not reader.received:
                raise StaleConnection from ex
            raise
        self._answers += 1
        return response

    def _is_stale(self, ex: OSError) -> bool:
        return self._answers > 0 and not isinstance(ex, TimeoutError)


class _Connection(_Observed, HTTPConnection):
    pass


class _TlsConnection(_Observed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
