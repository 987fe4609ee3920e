"""The connection pool of one upstream, taught the two things that requests does not tell: whether a connection that died
had been used before, and which socket an answer comes from."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

POOL_SIZE = 256
"""Idle connections kept, at most: more than a process has threads."""


class StaleConnection(OSError):
    """A pooled connection turned out dead before the first byte of its answer."""


class _Observed:
    """Mixed into both kinds of connection."""

    sock: socket.socket | None
    _answers = 0

    def connect(self) -> None:
        self._answers = 0
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        with self._telling_stale():
            super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        sock = self.sock
        with self._telling_stale():
            response = super().getresponse()  # type: ignore[misc]
        self._answers += 1
        response.sock = sock
        return response

    @contextmanager
    def _telling_stale(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as ex:
            if self._answers:
                raise StaleConnection from ex
            raise


class _Connection(_Observed, HTTPConnection):
    pass


class _TlsConnection(_Observed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pooled_adapter() -> HTTPAdapter:
    adapter = HTTPAdapter(pool_maxsize=POOL_SIZE)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return adapter
