"""One request to an upstream, and its answer, read as it comes and until a deadline."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable
from email.message import Message
from typing import Self, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class Unreachable(Exception):
    """It does not listen."""


class Late(Exception):
    """It did not answer in time."""


class CutOff(Exception):
    """The connection broke before the answer was whole."""


class Refused(Exception):
    """It answered with another status than 200."""

    def __init__(self, status: int, body: bytes, headers: "Message[str, str]") -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


class Upstream:
    """For a `with` block, at whose end the connection is closed, whatever is left of the answer. All methods raise the exceptions above."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._path = parts.path.rstrip("/")
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        self._response: http.client.HTTPResponse | None = None

    def __enter__(self) -> Self:
        try:
            self._connection.connect()
        except OSError as ex:
            self._connection.close()
            raise Unreachable from ex
        # Once an answer without a length has begun, the connection knows it no more.
        self._socket = self._connection.sock
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._response:
            self._response.close()
        self._connection.close()

    def ask(self, method: str, path: str, payload: object, key: str = "") -> None:
        body = json.dumps(payload).encode() if payload else None
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        connection = self._connection
        self._bounded(lambda: connection.request(method, self._path + path, body, headers))  # fmt: skip
        self._response = self._bounded(connection.getresponse)
        if self._response.status != 200:
            raise Refused(self._response.status, self.rest(), self._response.headers)

    def rest(self) -> bytes:
        """All that has not been read."""
        response = self._answer()
        pieces = iter(lambda: self._bounded(lambda: response.read1(65536)), b"")
        data = b"".join(pieces)
        if response.length:
            raise CutOff
        return data

    def line(self) -> bytes:
        """The next one that is not blank; none at the end. Each may take the whole time-out."""
        self._end = time.monotonic() + self._timeout
        response = self._answer()
        while (text := self._bounded(response.readline)) and not text.strip():
            pass
        return text

    def _answer(self) -> http.client.HTTPResponse:
        if self._response is None:
            raise RuntimeError("nothing was asked")
        return self._response

    def _bounded(self, read: Callable[[], T]) -> T:
        left = max(self._end - time.monotonic(), 0.001)
        try:
            self._socket.settimeout(left)
            return read()
        except TimeoutError as ex:
            raise Late from ex
        except (OSError, http.client.HTTPException) as ex:
            raise CutOff from ex
