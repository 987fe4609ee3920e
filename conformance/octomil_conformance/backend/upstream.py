"""A scripted upstream: one listening port where each request is answered by a script, byte by byte if need be.

    with Upstream() as upstream:
        upstream.on("/api/version", lambda response: response.json(200, {"version": "1"}))
        upstream.on("/v1/models", raw(b"HTTP/1.1 200 OK\\r\\nContent-Le", b"ngth: 2\\r\\n\\r\\n{}"))

A script takes a `Response` and runs on the thread of its connection, where it may wait. It knows no dialect; `scripts.py`
has scripts that answer as Ollama and OpenAI-compatible servers do.
"""

import itertools
import math
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from octomil_conformance.backend.response import (
    ClientLeft,
    Received,
    Response,
    Stopped,
    Wire,
    head_of,
    read_request,
)
from octomil_conformance.config import CannotListen

Address = tuple[str, int]
ANY_PORT: Address = ("127.0.0.1", 0)

Script = Callable[[Response], None]

MAX_WAIT = 60.0
"""Seconds for anything that must happen, on however busy a machine."""

KEPT_REQUESTS = 20_000
"""If there are more, the oldest are dropped."""

BAD_REQUEST = head_of(400, {"Connection": "close", "Content-Length": "0"})
"""The response to broken framing."""


class Upstream:
    """The server. It listens from when it is made until it is closed.

    `script` answers the paths that `on` does not name; without one, such a request is an error. Leaving the `with`
    block raises the errors of all scripts. `most` is the limit of a request's body, `kept` how many requests are
    remembered. Raises CannotListen.
    """

    def __init__(
        self,
        address: Address = ANY_PORT,
        script: Script | None = None,
        most: float = math.inf,
        kept: int = KEPT_REQUESTS,
    ) -> None:
        self.errors: list[BaseException] = []
        self._otherwise = script
        self._most = most
        self._scripts: dict[str, deque[Script]] = {}
        self._requests: deque[Received] = deque(maxlen=kept)
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._connection_ids = itertools.count(1)
        self._threads: dict[Wire, threading.Thread] = {}
        self._idle: set[Wire] = set()
        self._running: set[Wire] = set()
        self._listener: socket.socket | None = None
        self._reserved: socket.socket | None = None
        """Holds the port while nothing listens on it."""
        self._open(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        self.close()
        if error is None:
            self.raise_errors()
        elif self.errors:
            error.add_note(f"Scripts of the upstream failed: {self.errors}")

    @property
    def port(self) -> int:
        return self.address[1]

    @property
    def url(self) -> str:
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def requests(self) -> list[Received]:
        """The requests in order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def running(self) -> int:
        """How many responses are under way."""
        with self._changed:
            return len(self._running)

    @property
    def connections(self) -> int:
        with self._changed:
            return len(self._threads)

    def on(self, path: str, *scripts: Script) -> None:
        """Answers requests for `path` by these scripts in turn; the last one stays. `*` stands for all other paths."""
        with self._changed:
            self._scripts[path] = deque(scripts)

    def wait_for_requests(
        self, count: int = 1, timeout: float = MAX_WAIT
    ) -> list[Received]:
        """All requests, as soon as there are `count` of them."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._requests) >= count, timeout)
            if not came:
                raise TimeoutError(f"{len(self._requests)} of {count} requests came in")
            return list(self._requests)

    def stop_listening(self) -> None:
        """Refuses new connections and closes idle ones; responses under way go on. No other program can get the port."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):  # wakes the thread that accepts
                socket.create_connection(self.address, MAX_WAIT).close()
            self._accepting.join()
            self._reserved = _bound(self.address)
            with self._changed:
                for wire in self._idle:
                    wire.shut_down()

    def listen_again(self) -> None:
        """Listens on the same port again."""
        if self._listener is None:
            self._release()
            self._open(self.address)

    def close(self, max_wait: float = MAX_WAIT) -> None:
        """Refuses new connections and cuts off all others. Returns when their threads have ended, or after `max_wait` seconds."""
        self.refuse_all(max_wait=max_wait)
        self._release()

    def refuse_all(self, spare: Wire | None = None, max_wait: float = MAX_WAIT) -> None:
        """Like `close`, but keeps the port and the connection `spare`, so that the upstream can listen again."""
        self._stopped.set()
        self.stop_listening()
        self._end_connections(spare, max_wait)

    def start_over(self) -> None:
        """Forgets scripts, requests and connections, and keeps the port. Raises the errors of scripts so far."""
        self._stopped.set()
        self._end_connections()
        with self._changed:
            self._requests.clear()
            self._scripts = {}
            self._connection_ids = itertools.count(1)
            self._stopped = threading.Event()
        self.listen_again()
        self.raise_errors()

    def raise_errors(self) -> None:
        """Raises the errors of scripts so far, and forgets them."""
        errors, self.errors = self.errors, []
        if errors:
            raise BaseExceptionGroup("scripts of the upstream failed", errors)

    def _end_connections(
        self, spare: Wire | None = None, max_wait: float = MAX_WAIT
    ) -> None:
        with self._changed:
            ending = {w: t for w, t in self._threads.items() if w is not spare}
        for wire in ending:
            wire.shut_down()
        for thread in ending.values():
            thread.join(max_wait)
        if any(thread.is_alive() for thread in ending.values()):
            self.errors.append(TimeoutError("a script waits, but not by its Response"))

    def _release(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _open(self, address: Address) -> None:
        self._stopped = threading.Event()
        self._listener = listener = _listen(address)
        host, port = listener.getsockname()[:2]
        self.address: Address = (str(host), int(port))
        self._accepting = threading.Thread(
            target=self._accept, args=[listener], daemon=True
        )
        self._accepting.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                sock, _ = listener.accept()
                if self._listener is not listener:
                    sock.close()
                    return
                wire = Wire(sock, next(self._connection_ids))
                thread = threading.Thread(target=self._serve, args=[wire], daemon=True)
                with self._changed:
                    self._threads[wire] = thread
                thread.start()

    def _serve(self, wire: Wire) -> None:
        try:
            for nth in itertools.count(1):
                request = self._next_request(wire, nth)
                if request is None or not self._answer(request, wire):
                    return
        except OSError:
            return  # the client left
        except ValueError as error:
            self.errors.append(error)
            with suppress(OSError):  # the client left
                wire.socket.sendall(BAD_REQUEST)
        finally:
            wire.close()
            with self._changed:
                del self._threads[wire]

    def _next_request(self, wire: Wire, nth: int) -> Received | None:
        self._set_idle(wire)
        try:
            return read_request(wire, nth, self._most)
        finally:
            with self._changed:
                self._idle.discard(wire)

    def _set_idle(self, wire: Wire) -> None:
        with self._changed:
            self._idle.add(wire)
            self._running.discard(wire)

    def _answer(self, request: Received, wire: Wire) -> bool:
        """Runs the script. True if the connection is kept."""
        response = Response(request, wire, self._stopped, lambda: self._set_idle(wire))
        with self._changed:
            self._requests.append(request)
            self._running.add(wire)
            self._changed.notify_all()
        try:
            self._script_for(request)(response)
            return response.keep_alive
        except (ClientLeft, Stopped):
            return False
        except BaseException as error:  # noqa: BLE001 - raised again at the end
            self.errors.append(error)
            response.reset()
            return False
        finally:
            with self._changed:
                self._running.discard(wire)

    def _script_for(self, request: Received) -> Script:
        with self._changed:
            scripts = self._scripts.get(request.path) or self._scripts.get("*")
            if scripts:
                return scripts.popleft() if len(scripts) > 1 else scripts[0]
        if self._otherwise is None:
            raise LookupError(f"nothing scripted for {request.method} {request.path}")
        return self._otherwise


def _bound(address: Address) -> socket.socket:
    """A socket that has the port, but does not listen: clients are refused."""
    bound = socket.socket(_family(address))
    # With SO_REUSEADDR, old connections do not prevent the bind. Without it, no other program can bind the port afterwards.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return bound


def _listen(address: Address) -> socket.socket:
    """A socket that listens there. Raises CannotListen."""
    try:
        return socket.create_server(address, family=_family(address), backlog=1024)
    except OSError as ex:
        where = "{}:{}".format(*address)
        raise CannotListen(f"cannot listen on {where}: {ex.strerror}") from ex


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
