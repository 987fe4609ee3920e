"""Middleware: one log line a request, written when its answer has ended, which for a stream is long after its status.

Never a prompt, an answer or a token. Also how log lines look: text for people, JSON for machines.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import falcon

from octomil_ref.clock import stopwatch
from octomil_ref.settings import Settings

log = logging.getLogger("octomil_ref.requests")


@dataclass
class Record:
    """What one request's line says. The resource fills in what it learns; None is left out."""

    request_id: str
    method: str
    path: str
    status: int = 0
    duration_ms: float = 0.0
    model: str | None = None
    provider: str | None = None
    tokens: int | None = None
    first_token_ms: float | None = None
    ended: str | None = None
    """How a streamed answer ended: `complete`, `interrupted` by the upstream, or `client_left`."""
    error: str | None = None
    """The code of a failure."""

    def __post_init__(self) -> None:
        self.elapsed_ms = stopwatch()
        """Milliseconds since the request arrived."""


class RequestLog:
    """Sets `req.context.record`."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.record = Record(req.context.request_id, req.method, req.path)

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        record: Record | None = req.context.get("record")
        if record is None:
            return  # refused by Falcon before any middleware
        record.status = resp.status_code
        if resp.stream is None:
            _write(record)
        else:
            resp.stream = _Watched(resp.stream, lambda: _write(record))


class _Watched:
    """A body that tells when it is over. The WSGI server calls close() whatever happened."""

    def __init__(self, body: Any, on_close: Callable[[], None]) -> None:
        self._body: Iterable[bytes] = body
        self._close_body: Callable[[], None] = body.close
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            self._close_body()
        finally:
            self._on_close()


_FIELDS = [field.name for field in fields(Record)]


def _write(record: Record) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    record.duration_ms = record.elapsed_ms()
    values = [(name, getattr(record, name)) for name in _FIELDS]
    known = {name: value for name, value in values if value is not None}
    # Not log.info, which looks for the line of code that logs, at a third of the cost of it all.
    line = logging.LogRecord(log.name, logging.INFO, __file__, 0, "request", None, None)
    line.fields = known
    log.handle(line)


def configure_logging(settings: Settings) -> None:
    """Lines to standard error; asked again, it replaces what it set."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    root = logging.getLogger("octomil_ref")
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    root.propagate = False


class _Text(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO request method=POST path=/api/v1/inference …`"""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        for name, value in getattr(record, "fields", {}).items():
            line += f" {name}={_plain(value)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


_PLAIN_WORD = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without space, quote and equals sign."""


def _plain(value: object) -> str:
    """A value that cannot be taken for another field or line: quoted unless it is one plain word."""
    text = str(value)
    return text if _PLAIN_WORD.fullmatch(text) else json.dumps(text)
