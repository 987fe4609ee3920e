"""One listening port that can be closed, with all its connections, and opened again."""

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from octomil_conformance.backend.handler import Handler
from octomil_conformance.backend.stage import Stage

Address = tuple[str, int]

POLL = 0.1
"""Seconds that closing takes at most, when all is quiet."""

PATIENCE = 2.0
"""Seconds for one connection's thread to end."""


class _Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self, address: Address, serve: Callable[[socket.socket], None]
    ) -> None:
        self._serve = serve
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, socketserver.BaseRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._serve(request)


def _listening(address: Address, serve: Callable[[socket.socket], None]) -> _Server:
    """Raises OSError that names the address."""
    try:
        return _Server(address, serve)
    except OSError as ex:
        where = "{}:{}".format(*address)
        raise OSError(ex.errno, f"{where}: {ex.strerror}") from ex


class Listener:
    """Serves each connection on a thread of its own. Whoever makes it closes it."""

    def __init__(self, address: Address, stage: Stage) -> None:
        self.stage = stage
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._open(address)

    def close(self, spare: socket.socket | None = None) -> None:
        """Nobody can connect any more, and who is connected is cut off, but for `spare`. Returns when all is quiet."""
        self._server.shutdown()
        self._server.server_close()
        self._accepting.join()
        self.stage.stopped.set()
        with self._lock:
            ending = {
                connection: thread
                for connection, thread in self._connections.items()
                if connection is not spare
            }
        for connection in ending:
            _shut(connection)
        for thread in ending.values():
            thread.join(PATIENCE)

    def reopen(self) -> None:
        self._open(self.address)

    def _open(self, address: Address) -> None:
        self._server = _listening(address, self._start)
        self.stage.stopped.clear()
        host, port = self._server.server_address[:2]
        self.address: Address = (str(host), int(port))
        self._accepting = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), daemon=True
        )
        self._accepting.start()

    def _start(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        with self._lock:
            self._connections[connection] = thread
        thread.start()

    def _run(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Handler(connection, self.stage)
        except OSError:
            pass  # the other end left between two requests
        finally:
            with self._lock:
                del self._connections[connection]
            _shut(connection)
            connection.close()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)
