"""HTTP/1.1 on one connection to an upstream (RFC 9112). urllib3 opens the connections (names, TLS, proxies) and pools them.

A request leaves in one write. A read is one system call, and decodes all chunks that have arrived. Through http.client, its
BufferedReader and urllib3's layers a token that arrives alone costs the whole server nearly twice as much CPU, and the call for
a whole answer more than twice as much.
"""

import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from octomil_ref.backends.framing import Head, body_decoder, request_head, take_head
from octomil_ref.clients import NOBODY, Call, Client, watched
from octomil_ref.clock import Deadline

MAX_IDLE = 60.0  # seconds after which a connection is not used again; many servers close theirs after 65 to 75
READ_BYTES = 64 * 1024  # the most bytes that one read takes from a socket
SLACK = 0.02  # seconds by which a socket's limit may be off, so that it is not set again for each token

KEEP_ALIVE = {"SO_KEEPALIVE": 1, "TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15}
"""Options that keep firewalls from dropping a connection while a model is silent. Not every system has all of them."""


class TimedSocket:
    """A connected socket. Each call raises TimeoutError once the deadline has passed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        unlimited = -1.0
        self._limits = {
            socket.SO_RCVTIMEO: unlimited,
            socket.SO_SNDTIMEO: unlimited,
        }
        self._kernel_keeps_time = os.name == "posix" and not isinstance(
            sock, ssl.SSLSocket
        )
        if self._kernel_keeps_time:
            sock.settimeout(None)

    def receive(self, size: int, deadline: Deadline) -> bytes:
        """The next bytes; empty once the connection has ended."""
        while True:
            self._limit(socket.SO_RCVTIMEO, deadline.remaining())
            try:
                return self._sock.recv(size)
            except BlockingIOError:
                continue  # the limit was reached

    def send(self, data: bytes, deadline: Deadline) -> None:
        unsent = memoryview(data)
        while unsent:
            self._limit(socket.SO_SNDTIMEO, deadline.remaining())
            with suppress(BlockingIOError):
                unsent = unsent[self._sock.send(unsent) :]

    def _limit(self, option: int, remaining: float) -> None:
        """Limits the next call on the socket to `remaining` seconds, at most SLACK more or less.

        With Python's own timeout, each read needs a second system call that asks whether the socket is ready.
        """
        if remaining <= 0:
            raise TimeoutError
        if -SLACK < remaining - self._limits[option] < SLACK:
            return
        self._limits[option] = remaining
        if self._kernel_keeps_time:
            microseconds = int(remaining * 1_000_000) + 1  # 0 would mean no limit
            limit = struct.pack("ll", *divmod(microseconds, 1_000_000))
            self._sock.setsockopt(socket.SOL_SOCKET, option, limit)
        else:
            self._sock.settimeout(remaining)


class Body:
    """The body of one response, as a file that is read once."""

    closed = False

    def __init__(
        self, head: Head, begun: bytes, sock: TimedSocket, deadline: Deadline
    ) -> None:
        """`begun` came with the head. `deadline` is for all reads; the reader may renew it."""
        self.decoder = body_decoder(head)
        self._keeps_alive = head.keeps_alive()
        self._begun = begun
        self._sock = sock
        self._deadline = deadline

    def read1(self, size: int) -> bytes:
        """At least one byte, and none at the end. The first bytes came with the head and may be more than `size`."""
        while not self.decoder.complete:
            data = self._begun or self._sock.receive(size, self._deadline)
            self._begun = b""
            if not data:
                self.decoder.end()
            elif body := self.decoder.feed(data):
                return body
        return b""

    read = read1  # never called, but urllib3 requires it of a file

    def leaves_connection(self) -> bool:
        """True if the connection may be used again after the end."""
        surplus = self.decoder.surplus or self._begun
        return self._keeps_alive and not surplus

    def close(self) -> None:
        self.closed = True


class DirectResponse(HTTPResponse):
    """urllib3's response, except that a body without Content-Encoding is read directly from `incoming`.

    After the last byte of the body the connection goes back to the pool.
    """

    def __init__(self, head: Head, incoming: Body, on_end: Callable[[], bool]) -> None:
        """`on_end` is called before the connection goes back. If it returns False, the connection is closed instead."""
        body: Any = incoming
        super().__init__(body, head.headers, head.status, preload_content=False)
        self.incoming = incoming
        self.on_end = on_end
        self.has_ended = False

    def read1(
        self, amt: int | None = None, decode_content: bool | None = None
    ) -> bytes:
        try:
            if decode_content:
                data = super().read1(amt, True)
            else:
                data = self.incoming.read1(amt or READ_BYTES)
        except BaseException:
            self.close()
            raise
        if self.incoming.decoder.complete and not self.has_ended:
            self.has_ended = True
            if self.incoming.leaves_connection() and self.on_end():
                self.release_conn()
            self.close()
        return data


class StaleConnection(OSError):
    """A pooled connection was dead before the first byte of its response, so the request is worth a retry."""


@contextmanager
def sending_for(client: Client, until: Deadline) -> Iterator[None]:
    """Within the block, requests of this thread and their responses end at the deadline or when the client leaves.

    requests and urllib3 have no arguments for either.
    """
    _this_thread.client, _this_thread.deadline = client, until
    try:
        yield
    finally:
        del _this_thread.client, _this_thread.deadline


_this_thread = threading.local()


class _Http1:
    """Mixed into both of urllib3's connection classes. Only their `connect`, `is_connected` and `close` are still used.

    urllib3 closes a connection whenever its request or response fails or is abandoned.
    """

    sock: Any
    timeout: Any
    host: Any
    port: Any
    _timed: TimedSocket
    _begun = False
    """True once the current response has begun to arrive."""
    _responses = 0
    """The number of responses since the connection was opened."""
    _unused: Deadline
    """The time until which the connection may stay idle."""
    _call = Call(NOBODY, None)
    """The request that is under way."""

    def connect(self) -> None:
        self._responses = 0
        self.timeout /= self._steps()
        try:
            super().connect()  # type: ignore[misc]
        except TimeoutError as ex:  # in TLS, or at a proxy
            raise ConnectTimeoutError(self, "no connection in time") from ex
        except OSError as ex:
            if isinstance(ex, ssl.SSLError):
                raise
            raise NewConnectionError(self, str(ex)) from ex  # type: ignore[arg-type]
        for name in KEEP_ALIVE.keys() & vars(socket).keys():
            level = socket.SOL_SOCKET if name[0] == "S" else socket.IPPROTO_TCP
            self.sock.setsockopt(level, getattr(socket, name), KEEP_ALIVE[name])
        self._timed = TimedSocket(self.sock)
        self._unused = Deadline(MAX_IDLE)

    def _steps(self) -> int:
        """The number of steps that may each take as long as urllib3's timeout: one for each address, and one for TLS."""
        addresses = 1
        with suppress(OSError):  # urllib3 fails in the same way, and says so
            addresses = len(
                socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            )
        return addresses + isinstance(self, HTTPSConnection)

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        *unused: Any,
        **options: Any,
    ) -> None:
        if self.sock is None:
            self.connect()
        self._begun = False
        self._call = watched(_this_thread.client, self.sock)
        data = request_head(method, url, headers or {}) + (body or b"")
        try:
            self._timed.send(data, _this_thread.deadline)
        except OSError as ex:
            self._raise_if_stale(ex)
            raise

    def getresponse(self) -> Any:
        deadline = _this_thread.deadline
        try:
            head, rest = self._read_head(deadline)
        except OSError as ex:
            self._raise_if_stale(ex)
            raise
        if head.status == 408 and self._responses and not head.keeps_alive():
            # Apache, HAProxy: no answer, but a notice that the connection was idle (RFC 9110, section 15.5.9).
            raise StaleConnection
        self._responses += 1
        body = Body(head, rest, self._timed, deadline)
        return DirectResponse(head, body, self._response_ended)

    @property
    def is_connected(self) -> bool:
        """urllib3 asks this before it uses an idle connection, and closes the connection if it is False."""
        connected: bool = super().is_connected  # type: ignore[misc]
        return connected and self._unused.remaining() > 0

    def _read_head(self, deadline: Deadline) -> tuple[Head, bytes]:
        """The head of the response, and the bytes that came after it."""
        head, received = None, b""
        while not head:
            data = self._timed.receive(READ_BYTES, deadline)
            if not data:
                raise ConnectionResetError("the connection ended before the response")
            self._begun = True
            head, received = take_head(received + data)
        return head, received

    def _raise_if_stale(self, ex: OSError) -> None:
        ended_by_us = isinstance(ex, TimeoutError) or self._call.client.left
        if self._responses and not self._begun and not ended_by_us:
            raise StaleConnection from ex

    def _response_ended(self) -> bool:
        """Returns True if the connection may carry another request."""
        self._unused = Deadline(MAX_IDLE)
        return self._call.end()

    def close(self) -> None:
        self._call.end()
        super().close()  # type: ignore[misc]


class _Connection(_Http1, HTTPConnection):
    pass


class _TlsConnection(_Http1, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls: Any = _TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
