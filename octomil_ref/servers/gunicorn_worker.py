"""gunicorn's threaded worker, with manners that it lacks: no client that is slow, silent or one too many holds others up."""

import socket
import time
from contextlib import suppress
from selectors import EVENT_WRITE
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from octomil_ref.servers.door import LINGER, Door
from octomil_ref.servers.gunicorn_connection import (
    Connection,
    Socket,
    WaitingRoom,
    half_close,
    may_send_more,
    takes_answers,
)
from octomil_ref.servers.gunicorn_log import wordless

MOMENT = 0.02
"""Seconds in which a body arrives that is already on its way."""


class Worker(ThreadWorker):
    """A request gets a thread when its head is there, and its client has taken the answers before it.

    In gunicorn's own it gets one when its client connects, so that as many clients as there are threads, each with one
    byte of a request, keep all others out; and its only loop waits two seconds for each client that does not close its
    connection when it should.
    """

    client_timeout = 30.0
    """Seconds in which a head must be there, and after which a client must have taken some more of its answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = Door(self.log.warning)

    def run(self) -> None:
        self._arriving = WaitingRoom(self.poller, self.client_timeout, self.enqueue_req)
        self._taking = WaitingRoom(
            self.poller, self.client_timeout, self.enqueue_req, EVENT_WRITE
        )
        self._leaving = WaitingRoom(self.poller, LINGER, self._await_end)
        super().run()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """A worker that stops gives its listening sockets up at once.

        gunicorn's own keeps them until its last stream has ended: until then new clients are let in and hang.
        """
        super().set_accept_enabled(enabled and self._door.is_open())
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: socket.socket) -> None:
        try:
            self._let_in(listener)
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as ex:
            self._door.nobody_came(ex)
            self.set_accept_enabled(False)
            return
        self._door.somebody_came()

    def _let_in(self, listener: socket.socket) -> None:
        if self.cfg.is_ssl:  # whose handshake is gunicorn's
            super().accept(listener)
            return
        sock, client = listener.accept()
        own = Socket.taking_over(sock, self.client_timeout)
        self.nr_conns += 1
        self.enqueue_req(Connection(self, own, client, listener))

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn calls this for a connection that is new or has more to be read."""
        if not isinstance(conn, Connection):
            super().enqueue_req(conn)
        elif takes_answers(conn.sock):
            self._taking.leave(conn)
            self._take_in(conn)
        else:
            self._taking.enter(conn)

    def _take_in(self, conn: Connection) -> None:
        if conn.head_is_there():
            self._arriving.leave(conn)
            super().enqueue_req(conn)
        elif conn.head_is_too_large():
            self._arriving.leave(conn)
            with suppress(OSError):  # it may have left, which must not end the loop
                util.write_error(conn.sock, 431, "Request Header Fields Too Large", "")
            self.nr_conns -= 1
            conn.close(graceful=True)
        else:
            self._arriving.enter(conn)

    def linger(self, conn: Connection) -> None:
        """Where gunicorn closes a connection and counts it no more, its client may still send, and would lose the answer.

        https://www.rfc-editor.org/rfc/rfc9112#section-9.6
        """
        self.nr_conns += 1
        half_close(conn.sock)
        self._leaving.enter(conn)

    def murder_pending(self) -> None:
        """gunicorn calls this at least once a second."""
        super().murder_pending()
        if not self.alive:
            self._arriving.hurry(LINGER)
            self._taking.hurry(LINGER)
        for room in self._arriving, self._taking, self._leaving:
            for conn in room.overdue():
                self._drop(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answers a request that could not be read, and logs it."""
        failure = wordless(exc) if isinstance(exc, ParseException) else exc
        super().handle_error(req, client, addr, failure)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """A connection is kept when the body that nobody read is there; gunicorn's own has a thread wait five seconds for it."""
        deadline = time.monotonic() + MOMENT
        return bool(keepalive and conn.parser.finish_body(deadline=deadline))

    def _await_end(self, conn: Connection) -> None:
        if not may_send_more(conn.sock):
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        for room in self._arriving, self._taking, self._leaving:
            room.leave(conn)
        self.nr_conns -= 1
        conn.close()
