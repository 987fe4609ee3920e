"""A client's connection under gunicorn, and the room where connections wait without a thread for what their client does."""

import errno
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, BaseSelector
from typing import Any, Self

from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn

from octomil_ref.clock import Deadline
from octomil_ref.servers.door import MAX_HEAD_BYTES

RECEIVE_BYTES = 65536

SEND_BUFFER = 208 * 1024
"""Bytes that the system takes in for a client, as many as Linux allows unless told otherwise, half of them for its own needs.

An answer that needs no token has fewer, the page too, so that nobody holds a thread who asks for it and takes none of it.
"""

UNSENT = 1024
"""Bytes of earlier answers that the system may still have, at most, when the next request is looked at."""


class Socket(socket.socket):
    """Waits for its client with a bound.

    A timeout that is set is for all that is received until the next one is set, not for each piece of it: gunicorn goes on
    reading while a body drips. Sending ends when nothing was taken for a while; how long is left to the kernel, so that it
    costs no call a token. Both failures look to gunicorn like a client that left, which it does not log.
    """

    _until: Deadline | None = None

    @classmethod
    def taking_over(cls, sock: socket.socket, send_seconds: float) -> Self:
        own = cls(fileno=sock.detach())
        seconds, fraction = divmod(send_seconds, 1)
        bound = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
        with suppress(OSError):  # macOS refuses where the client has left already
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bound)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return own

    def settimeout(self, value: float | None, /) -> None:
        self._until = None if value is None else Deadline(value)
        super().settimeout(value)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if self._until is not None:
            super().settimeout(max(self._until.remaining(), 0.001))
        try:
            return super().recv(bufsize, flags)
        except TimeoutError as ex:
            raise TimeoutError(errno.EPIPE, "the client sent no more") from ex

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError as ex:
            raise BrokenPipeError(errno.EPIPE, "the client takes nothing") from ex


class Connection(TConn):
    """Takes the head of a request in without waiting for it, and leaves its own end to `linger`."""

    def __init__(
        self, worker: Any, sock: Socket, client: Any, listener: socket.socket
    ) -> None:
        super().__init__(worker.cfg, sock, client, listener.getsockname())
        self.data_ready = True  # there is a thread for it only when it is
        self._own_parser = RequestParser(worker.cfg, sock, client)
        self.parser = self._own_parser
        self._linger: Callable[[Connection], None] = worker.linger
        self._head = bytearray()

    def head_is_there(self) -> bool:
        """Take in what has come; whether gunicorn's parser can do without more, be it because the head will never be whole."""
        looked_at = max(0, len(self._head) - 3)
        self._head += self._own_parser.unreader.take_buffered()
        ended = self._receive()
        new = self._head[looked_at:].removeprefix(b"\n")
        # The parser refuses a line that does not end with CRLF.
        refused = new.count(b"\n") != new.count(b"\r\n")
        if not (ended or refused or b"\r\n\r\n" in new):
            return False
        self._own_parser.unreader.unread(self._head)
        self._head = bytearray()
        return True

    def head_is_too_large(self) -> bool:
        return len(self._head) > MAX_HEAD_BYTES

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self._linger(self)
        else:
            super().close()

    def _receive(self) -> bool:
        """Whether nothing more will come."""
        try:
            piece = self.sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._head += piece
        return not piece


class WaitingRoom:
    """Connections that wait without a thread until their clients send or take something, each for `seconds` at most."""

    def __init__(
        self,
        poller: BaseSelector,
        seconds: float,
        on_ready: Callable[[Connection], None],
        event: int = EVENT_READ,
    ) -> None:
        self._poller = poller
        self._seconds = seconds
        self._on_ready = on_ready
        self._event = event
        self._waiting: dict[Connection, Deadline] = {}  # the longest wait is first

    def enter(self, connection: Connection) -> None:
        """Once in, it stays where it is."""
        if connection not in self._waiting:
            connection.sock.setblocking(False)
            self._waiting[connection] = Deadline(self._seconds)
            self._poller.register(
                connection.sock, self._event, lambda _: self._on_ready(connection)
            )

    def leave(self, connection: Connection) -> None:
        """Whether or not it is in."""
        if self._waiting.pop(connection, None):
            self._poller.unregister(connection.sock)

    def hurry(self, seconds: float) -> None:
        """All have this much time left at most."""
        for deadline in self._waiting.values():
            deadline.shorten(seconds)

    def overdue(self) -> list[Connection]:
        """Those whose time is over."""
        found = []
        for connection, deadline in self._waiting.items():
            if deadline.remaining() > 0:
                break
            found.append(connection)
        return found


def takes_answers(sock: socket.socket) -> bool:
    """Whether the client lets itself be sent what it asked for."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    _writable_with(sock, UNSENT)
    writable = bool(poll.poll(0))
    if writable:
        _writable_with(sock, 0)
    return writable


def _writable_with(sock: socket.socket, unsent: int) -> None:
    """From now on the socket is writable with fewer unsent bytes only; 0: while there is room."""
    # A UNIX socket, whose client is no stranger, has no such bound; some systems do not either.
    with suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)


def half_close(sock: socket.socket) -> None:
    """No more is sent."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def may_send_more(sock: socket.socket) -> bool:
    """Takes in what has come, to no end; whether the client may send more."""
    try:
        return bool(sock.recv(RECEIVE_BYTES))
    except BlockingIOError:
        return True
    except OSError:
        return False
