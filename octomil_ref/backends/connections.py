"""The connections to one upstream, taught three things that requests cannot do: every read keeps to a deadline, the head of
an answer included; an answer that drips does not escape it; and a connection that died tells whether it was worth a retry."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from octomil_ref.clock import Deadline

POOL_SIZE = 256
"""Idle connections kept, at most: more than a process has threads."""


class StaleConnection(OSError):
    """A pooled connection turned out dead before the first byte of its answer."""


def pooled_adapter() -> HTTPAdapter:
    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return adapter


@contextmanager
def reading_until(deadline: Deadline) -> Iterator[None]:
    """Answers whose head arrives on this thread meanwhile are read against `deadline`, to their end."""
    _current.deadline = deadline
    try:
        yield
    finally:
        del _current.deadline


_current = threading.local()


class _Reader(io.RawIOBase):
    """What a socket receives. Raises TimeoutError once the deadline has passed."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self.received = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(remaining)
        size = self._raw.readinto(buffer)
        self.received = self.received or bool(size)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that reads through `reader`."""

    def __init__(self, reader: _Reader, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(reader)


class _Observed:
    """Mixed into both kinds of connection."""

    sock: socket.socket | None
    _answers = 0
    """How many this connection has brought since it was opened."""

    def connect(self) -> None:
        self._answers = 0
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        except OSError as ex:
            if self._is_stale(ex):
                raise StaleConnection from ex
            raise

    def getresponse(self) -> Any:
        assert self.sock
        reader = _Reader(self.sock, _current.deadline)
        self.response_class: Any = partial(_Response, reader)
        try:
            response = super().getresponse()  # type: ignore[misc]
        except OSError as ex:
            if self._is_stale(ex) and not reader.received:
                raise StaleConnection from ex
            raise
        self._answers += 1
        return response

    def _is_stale(self, ex: OSError) -> bool:
        return self._answers > 0 and not isinstance(ex, TimeoutError)


class _Connection(_Observed, HTTPConnection):
    pass


class _TlsConnection(_Observed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
