"""A scripted upstream: a TCP server on 127.0.0.1 whose every answering byte a test decides.

It does what real servers cannot be made to do: stall, drip, cut, talk garbage. A script
takes a `Call`: one received request and the wire to its sender. It runs on the thread of
its connection, where it may wait as long as it likes; leaving the `with` block ends it.
It knows no dialect: `dialects.py` has scripts that answer as Ollama and OpenAI would.
"""

import http
import itertools
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

Script = Callable[["Call"], None]

PATIENCE = 60.0
"""Seconds for whatever must happen, on however busy a machine."""


class PeerLeft(ConnectionError):
    """The client hung up while a script was sending: ends the script, is no failure."""


class UpstreamClosed(Exception):
    """The test is over: ends a script that still waits, is no failure."""


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    """The target as sent, query included."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """Without transfer coding."""
    connection_id: int
    """The same for all requests of one TCP connection, from 1."""
    nth_on_connection: int
    """Which request of its connection this is, from 1."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Wire:
    """One accepted connection. Only the thread that serves it closes it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.reader: BinaryIO = sock.makefile("rb")

    @property
    def closed(self) -> bool:
        return self.reader.closed

    def close(self) -> None:
        self.reader.close()
        self.socket.close()

    def reset(self) -> None:
        if not self.closed:
            linger = struct.pack("ii", 1, 0)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close()

    def shut_down(self) -> None:
        """From another thread: wakes whatever blocks on this connection."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class Call:
    """A request to answer.

    `json`, `answer` and `end_chunks` complete an answer, so that the connection is kept.
    A script that ends without one of them (or that sends all by hand and does not set
    `keep_alive`) closes the connection as it returns.
    """

    def __init__(
        self,
        received: Received,
        wire: _Wire,
        closing: threading.Event,
        on_complete: Callable[[], None],
    ) -> None:
        self.received = received
        self.keep_alive = False
        self._wire = wire
        self._closing = closing
        self._on_complete = on_complete

    def send(self, data: bytes) -> None:
        """Exactly these bytes, at once. Raises `PeerLeft` when nobody takes them."""
        if self._wire.closed:
            raise RuntimeError("the script sends after it closed the connection")
        try:
            self._wire.socket.sendall(data)
        except OSError as error:
            self._raise_when_closing()
            raise PeerLeft("the client hung up") from error

    def drip(self, data: bytes, pause: float = 0.0) -> None:
        """One byte at a time, `pause` seconds after each."""
        for value in data:
            self.send(bytes([value]))
            if self._closing.wait(pause):
                raise UpstreamClosed

    def head(self, status: int = 200, **headers: str) -> None:
        """Status line and headers only; without more the body ends with the connection."""
        self.send(_head(status, headers))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer of known length."""
        headers["content_length"] = str(len(body))
        self._complete(headers)
        self.send(_head(status, headers) + body)

    def json(self, status: int, value: Any, **headers: str) -> None:
        """A whole JSON answer of known length."""
        headers.setdefault("content_type", "application/json; charset=utf-8")
        self.answer(status, compact(value), **headers)

    def start_chunked(self, content_type: str, status: int = 200) -> None:
        self.head(status, content_type=content_type, transfer_encoding="chunked")

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end_chunks(self) -> None:
        self._complete({})
        self.send(b"0\r\n\r\n")

    def close(self) -> None:
        """Ends the connection in the orderly way (FIN), wherever the answer is."""
        self.keep_alive = False
        self._wire.close()

    def reset(self) -> None:
        """Breaks the connection off (RST)."""
        self.keep_alive = False
        self._wire.reset()

    def wait(self, event: threading.Event, timeout: float = PATIENCE) -> None:
        """Until the test opens the gate. Looks up now and then, should the test be over."""
        for _ in range(max(1, round(timeout / 0.05))):
            if event.wait(0.05):
                return
            self._raise_when_closing()
        raise TimeoutError(f"nobody opened the gate within {timeout} s")

    def wait_for_hangup(self, timeout: float = PATIENCE) -> bool:
        """True once the client closed its side; False when it stays or sends more."""
        self._wire.socket.settimeout(timeout)
        try:
            gone = self._wire.socket.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            gone = False
        except OSError:
            gone = True
        finally:
            self._wire.socket.settimeout(None)
        self._raise_when_closing()
        return gone

    def _complete(self, headers: dict[str, str]) -> None:
        asked = self.received.headers.get("connection", "")
        told = headers.get("connection", "")
        self.keep_alive = "close" not in (asked.lower(), told.lower())
        if self.keep_alive:
            # Before the last byte: who has the whole answer finds the connection idle.
            self._on_complete()

    def _raise_when_closing(self) -> None:
        if self._closing.is_set():
            raise UpstreamClosed


class Upstream:
    """The server. Use it in a `with` block; a script that failed makes the block fail."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Received] = []
        self.errors: list[BaseException] = []
        self.most_at_once = 0
        """How many answers were ever under way at the same time."""
        self._running: set[_Wire] = set()
        self._scripts: dict[str, deque[Script]] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._listening = False
        self._acceptor = threading.Thread()
        self._connection_ids = itertools.count(1)
        self._connections: list[threading.Thread] = []
        self._wires: set[_Wire] = set()
        self._idle: set[_Wire] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, *scripts: Script) -> None:
        """Answers requests to `path` by these scripts in turn, the last one for ever."""
        with self._changed:
            self._scripts[path] = deque(scripts)

    def wait_for_requests(
        self, count: int = 1, timeout: float = PATIENCE
    ) -> list[Received]:
        """Returns all requests as soon as `count` of them came in."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.requests) >= count, timeout)
            if not came:
                raise TimeoutError(f"{len(self.requests)} of {count} requests came in")
            return list(self.requests)

    def stop_listening(self) -> None:
        """An outage: new connections are refused, idle ones closed; calls go on."""
        if self._listening:
            self._listening = False
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            self._acceptor.join()
            self.drop_idle()

    def listen_again(self) -> None:
        """The end of an outage: the same port accepts again."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.port = listener.getsockname()[1]
        self._listening = True
        self._acceptor = threading.Thread(target=self._accept, args=[listener])
        self._acceptor.start()

    def drop_idle(self) -> None:
        """Closes the connections on which no call is being answered."""
        with self._changed:
            for wire in self._idle:
                wire.shut_down()

    def start_over(self) -> None:
        """As new, on the same port: for a server that outlives the test.

        Raises what went wrong in the scripts that ran so far.
        """
        self._end_connections()
        errors, self.errors = self.errors, []
        with self._changed:
            self.requests = []
            self.most_at_once = 0
            self._scripts = {}
            self._connection_ids = itertools.count(1)
            self._closing = threading.Event()
        if not self._listening:
            self.listen_again()
        if errors:
            raise BaseExceptionGroup("scripts of the upstream failed", errors)

    def close(self) -> None:
        """Ends every thread and socket. Errors of scripts stay in `errors`."""
        self._closing.set()
        self.stop_listening()
        self._end_connections()

    def _end_connections(self) -> None:
        self._closing.set()
        with self._changed:
            for wire in self._wires:
                wire.shut_down()
        for thread in self._connections:
            thread.join(PATIENCE)
        if any(thread.is_alive() for thread in self._connections):
            self.errors.append(TimeoutError("a script waits, and not by Call.wait"))
        self._connections = []

    def __enter__(self) -> Self:
        self.listen_again()
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        self.close()
        if self.errors and error is None:
            raise BaseExceptionGroup("scripts of the upstream failed", self.errors)
        if self.errors and error is not None:
            error.add_note(f"Scripts of the upstream failed: {self.errors}")

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                sock, _ = listener.accept()
                if not self._listening:
                    sock.close()
                    return
                wire = _Wire(sock)
                with self._changed:
                    self._wires.add(wire)
                thread = threading.Thread(target=self._serve, args=[wire])
                self._connections.append(thread)
                thread.start()

    def _serve(self, wire: _Wire) -> None:
        connection_id = next(self._connection_ids)
        try:
            for nth in itertools.count(1):
                request = self._next_request(wire, connection_id, nth)
                if request is None or not self._answer(request, wire):
                    return
        except OSError:
            return
        except ValueError as error:
            self.errors.append(error)
        finally:
            wire.close()
            with self._changed:
                self._wires.discard(wire)

    def _next_request(self, wire: _Wire, connection: int, nth: int) -> Received | None:
        self._set_idle(wire)
        try:
            return _read_request(wire.reader, connection, nth)
        finally:
            with self._changed:
                self._idle.discard(wire)

    def _set_idle(self, wire: _Wire) -> None:
        with self._changed:
            self._idle.add(wire)
            self._running.discard(wire)

    def _answer(self, received: Received, wire: _Wire) -> bool:
        """Runs the script; tells whether the connection stays."""
        call = Call(received, wire, self._closing, lambda: self._set_idle(wire))
        with self._changed:
            self.requests.append(received)
            self._running.add(wire)
            self.most_at_once = max(self.most_at_once, len(self._running))
            self._changed.notify_all()
        try:
            self._script_for(received)(call)
            return call.keep_alive
        except (PeerLeft, UpstreamClosed):
            return False
        except BaseException as error:  # noqa: BLE001 - raised again at exit
            self.errors.append(error)
            call.reset()
            return False
        finally:
            with self._changed:
                self._running.discard(wire)

    def _script_for(self, received: Received) -> Script:
        path = received.path.partition("?")[0]
        with self._changed:
            scripts = self._scripts.get(path)
            if not scripts:
                raise LookupError(f"nothing scripted for {received.method} {path}")
            return scripts.popleft() if len(scripts) > 1 else scripts[0]


def _read_request(reader: BinaryIO, connection_id: int, nth: int) -> Received | None:
    """The next request, or None when the client ended the connection between two."""
    start = reader.readline()
    if not start:
        return None
    method, path, version = start.decode("ascii").split()
    if version != "HTTP/1.1":
        raise ValueError(f"the client speaks {version}")
    headers = _read_headers(reader)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(iter(lambda: _read_chunk(reader), b""))
    else:
        body = _read_exactly(reader, int(headers.get("content-length", 0)))
    return Received(method, path, headers, body, connection_id, nth)


def _read_headers(reader: BinaryIO) -> dict[str, str]:
    headers = {}
    while line := reader.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _read_chunk(reader: BinaryIO) -> bytes:
    """One chunk of a request body; the last one is empty."""
    size = int(reader.readline().partition(b";")[0], 16)
    data = _read_exactly(reader, size)
    if reader.readline() != b"\r\n":
        raise ValueError("a chunk of the request has the wrong length, or a trailer")
    return data


def _read_exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise ConnectionError("the client left in the middle of its request")
    return data


def _head(status: int, headers: dict[str, str]) -> bytes:
    phrases = {known.value: known.phrase for known in http.HTTPStatus}
    lines = [f"HTTP/1.1 {status} {phrases.get(status, '')}"]
    for name, value in headers.items():
        lines.append(f"{name.replace('_', '-').title()}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def compact(value: Any) -> bytes:
    """JSON as Go and C++ servers write it: no blanks, UTF-8 as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
