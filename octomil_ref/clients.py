"""Notices clients that leave while they wait, and ends the upstream calls for them.

WSGI's environ shows whether a client is still there: waitress adds a function, gunicorn the client's socket. One thread of each
process checks all clients. It starts with the first call to an upstream.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

INTERVAL = 0.5
"""Seconds between two checks of all waiting clients. Most answers arrive before the first check."""

HANGUP = getattr(select, "POLLRDHUP", 0)
"""The client closed the connection, or its side of it. On systems other than Linux only a reset is noticed."""


@dataclass(eq=False)
class Client:
    """The client that waits for one response. Without arguments it never leaves."""

    says_it_left: Callable[[], bool] | None = None
    connection: socket.socket | None = None
    left: bool = False


NOBODY = Client()
"""The client of requests that the server makes for itself, such as probes."""


def client_of(environ: Mapping[str, Any]) -> Client:
    """The client of a WSGI request, as far as the server shows it."""
    return Client(
        environ.get("waitress.client_disconnected"), environ.get("gunicorn.socket")
    )


@dataclass(eq=False)
class Call:
    """One request to an upstream, on one connection."""

    client: Client
    connection: Any

    def end(self) -> bool:
        """Called when the response is complete or the connection closed. False if the call was broken off."""
        return _running.pop(self, False) or not self.client.left

    def break_off(self) -> None:
        """Ends the wait of the thread that reads or writes the connection."""
        self.client.left = True
        # The thread that removes the call from `_running` owns its connection, which another call may use later.
        if _running.pop(self, False):
            with suppress(OSError):
                # The method of an SSLSocket would also take its encryption away.
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


_running: dict[Call, bool] = {}
_thread = threading.Thread()
_starting = threading.Lock()


def watched(client: Client, connection: Any) -> Call:
    """A call that is broken off when the client leaves. Raises ConnectionAbortedError if it has left."""
    if client.left:
        raise ConnectionAbortedError("the client has left")
    call = Call(client, connection)
    if client.says_it_left or client.connection:
        _running[call] = True
        if not _thread.is_alive():  # after a fork too
            _start()
    return call


def _start() -> None:
    global _thread
    with _starting:
        if not _thread.is_alive():
            _thread = threading.Thread(
                target=_look_forever, name="clients", daemon=True
            )
            _thread.start()


def _look_forever() -> None:
    while True:
        time.sleep(INTERVAL)
        look()


def look() -> None:
    """Breaks off the calls whose clients have left."""
    calls = list(_running)
    clients = {call.client for call in calls}
    left = {each for each in clients if each.says_it_left and each.says_it_left()}
    left |= _hung_up([each for each in clients if each.connection])
    for call in calls:
        if call.client in left:
            call.break_off()


def _hung_up(clients: Collection[Client]) -> set[Client]:
    """The clients whose connection has ended. Reads nothing, because a further request may follow. One system call checks all clients."""
    numbers = {each: each.connection.fileno() for each in clients if each.connection}
    poll = select.poll()
    for number in numbers.values():
        if number >= 0:
            poll.register(number, HANGUP)
    ended = {number for number, _ in poll.poll(0)} | {-1}
    return {each for each, number in numbers.items() if number in ended}
