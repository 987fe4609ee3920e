"""A client's connection under waitress: no request can be read in two ways, a stream that is cut looks cut to everybody, and
a slow client waits for nothing without end."""

import socket
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask

from octomil_ref.clock import Deadline
from octomil_ref.servers.door import Door
from octomil_ref.servers.waitress_parser import StrictParser

MAX_PIPELINED = 4
"""Requests of one client that wait at once. One read may bring hundreds."""


class Task(WSGITask):
    """Sends a body in chunks without `Connection: close`, behind which Node's fetch takes a cut answer for a whole one."""

    def set_close_on_finish(self) -> None:
        headers: dict[str, str] = getattr(self.request, "headers", {})
        wanted = headers.get("CONNECTION", "").lower() == "close"
        if not self.chunked_response or self.wrote_header or wanted:
            super().set_close_on_finish()


class Channel(HTTPChannel):
    """Closes itself when its client keeps it waiting, be it for the rest of a request or to take some more of an answer.

    Waitress's own waits without end for a request that drips, and for who takes nothing of an answer that is still written.
    """

    task_class = Task
    parser_class = StrictParser
    requests: list[Any]  # waitress's own, as are their lock and the socket
    requests_lock: Any
    socket: Any

    def __init__(self, server: "Listener", *rest: Any, **more: Any) -> None:
        super().__init__(server, *rest, **more)
        self._client_timeout = server.client_timeout
        self._awaited: object = None
        self._patience = Deadline(0)
        self._has_sent_all = False

    def received(self, data: bytes) -> bool:
        """Of too many requests at once the first ones are answered, and the connection ends.

        All their answers are made, and kept in memory, before their client has taken one.
        """
        taken: bool = super().received(data)
        with self.requests_lock:
            if len(self.requests) > MAX_PIPELINED:
                del self.requests[MAX_PIPELINED:]
                self.requests[-1].headers["CONNECTION"] = "close"
        return taken

    def readable(self) -> bool:
        return bool(super().readable()) and not self._has_sent_all

    def handle_read(self) -> None:
        """A client that sends no more may wait for its answers, like `nc -N`.

        One that has left looks the same until something was sent to it: the third event of a stream finds it out. Waitress's
        own takes both for gone.
        """
        self._has_sent_all = bool(self.requests) and self._is_at_end()
        if not self._has_sent_all:
            super().handle_read()

    def _is_at_end(self) -> bool:
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return False  # it is met once more where it is dealt with

    def writable(self) -> bool:
        """Waitress asks before each round of its loop, which makes it the moment to look at the clock."""
        if self._has_sent_all and not self.requests:
            self.close_when_flushed = True
        awaited = self._awaits()
        if awaited is not self._awaited:
            self._awaited = awaited
            self._patience.renew(self._client_timeout)
        elif awaited is not None and self._patience.remaining() <= 0:
            self.handle_close()  # not `will_close`, which waits until it can write
            return False
        return bool(super().writable())

    def hurry(self, seconds: float) -> None:
        """A head that is not there yet has so much time left at most."""
        if self.request and not self.request.headers_finished:
            self._patience.shorten(seconds)

    def _awaits(self) -> object:
        """What stays the same while the client does nothing for it; None when it is not the client's turn."""
        if self.total_outbufs_len or self.last_activity is self.creation_time:
            return self.last_activity  # made anew whenever something was sent or came
        return None if self.requests else self.request


class Listener(TcpWSGIServer):
    """Has a door that can be shut: waitress's own, out of descriptors, tries on as fast as it can log that it failed."""

    channel_class = Channel

    def __init__(self, *args: Any, client_timeout: float, **more: Any) -> None:
        self.client_timeout = client_timeout
        self._door = Door(self.logger.warning)
        super().__init__(*args, **more)

    def readable(self) -> bool:
        return super().readable() and self._door.is_open()

    def pull_trigger(self) -> None:
        """Wakes the loop; a thread that has given the last answer may find it closed already."""
        with suppress(OSError):
            super().pull_trigger()

    def accept(self) -> Any:
        try:
            accepted = super().accept()
        except OSError as ex:
            self._door.nobody_came(ex)
            return None
        self._door.somebody_came()
        return accepted
