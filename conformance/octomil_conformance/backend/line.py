"""The connection under one answer: HTTP framing, and what both ends may do to it. No dialect."""

import socket
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler

from octomil_conformance.backend.gates import HELD_AT_MOST
from octomil_conformance.backend.stage import Stage
from octomil_conformance.backend.witness import Outcome

POLL = 0.01
"""Seconds between two looks at whether the other end is still there."""


class HungUp(Exception):
    """The server under test closed the connection in mid-answer."""


class Stopped(Exception):
    """We closed the connection: an outage, or the end."""


class Line:
    """One answer, told to the witness while it goes out. Raises HungUp and Stopped."""

    def __init__(
        self, http: BaseHTTPRequestHandler, stage: Stage, number: int, nonce: str
    ) -> None:
        self._http = http
        self._stage = stage
        self._number = number
        self._nonce = nonce
        self._chunked = False
        self._expired = False

    def head(
        self, status: int, headers: Mapping[str, str], length: int | None = None
    ) -> None:
        """Without a `length` the body is chunked, or for HTTP/1.0 ends with the connection."""
        self._chunked = length is None and self._http.request_version != "HTTP/1.0"
        self._http.send_response(status)
        for name, value in headers.items():
            self._http.send_header(name, value)
        if length is not None:
            self._http.send_header("Content-Length", str(length))
        elif self._chunked:
            self._http.send_header("Transfer-Encoding", "chunked")
        else:
            self._http.close_connection = True
        self._guarded(self._http.end_headers)

    def write(self, data: bytes) -> None:
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._guarded(lambda: self._http.wfile.write(data))

    def end(self) -> None:
        """The transfer is complete."""
        if self._chunked:
            self._guarded(lambda: self._http.wfile.write(b"0\r\n\r\n"))

    def break_off(self) -> None:
        """The transfer ends without its end."""
        self._http.close_connection = True

    def token_sent(self) -> None:
        self._stage.witness.token(self._number)

    def ending(self, outcome: Outcome) -> None:
        """To be called before the last byte leaves, see Call.ended."""
        self._stage.witness.end(
            self._number, "gate expired" if self._expired else outcome
        )

    def close_gate(self, tokens: int) -> None:
        self._stage.gates.close(self._nonce, tokens)

    def pass_gate(self, token: int) -> None:
        if not self._until(
            lambda wait: self._stage.gates.passes(self._nonce, token, wait),
            HELD_AT_MOST,
        ):
            self._expired = True

    def pause(self, seconds: float) -> None:
        self._until(self._stage.stopped.wait, seconds)

    def await_restoration(self) -> None:
        self._until(self._stage.restored.wait, HELD_AT_MOST)

    def _until(self, done: Callable[[float], bool], seconds: float) -> bool:
        """Whether `done(wait)` held within so many seconds; looks meanwhile at whether somebody left."""
        end = time.monotonic() + seconds
        while True:
            self._check()
            if done(min(POLL, max(0.0, end - time.monotonic()))):
                self._check()
                return True
            if time.monotonic() >= end:
                return False

    def _check(self) -> None:
        if self._stage.stopped.is_set():
            raise Stopped
        if is_closed(self._http.connection):
            raise HungUp

    def _guarded(self, write: Callable[[], object]) -> None:
        self._check()
        try:
            write()
        except OSError as ex:
            raise Stopped if self._stage.stopped.is_set() else HungUp from ex


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end has closed it: it is readable, and there is nothing to read."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
