"""Log lines: one line a request, and how lines look: text for people, JSON for machines.

A line never holds a prompt, an answer or a token of a client.
"""

import json
import logging
import re
from dataclasses import dataclass, fields

from octomil_ref.clock import stopwatch
from octomil_ref.settings import Settings

access_log = logging.getLogger("octomil_ref.requests")


@dataclass
class AccessRecord:
    """What the log line of one request says. Resources fill in what they learn; None is left out."""

    request_id: str
    method: str
    path: str
    status: int = 0
    duration_ms: float = 0.0
    key: str | None = None
    """The name of the client's key."""
    model: str | None = None
    provider: str | None = None
    tokens: int | None = None
    first_token_ms: float | None = None
    ended: str | None = None
    """How a streamed answer ended: `complete`, `interrupted` by the upstream, or `client_left`."""
    ignored: str | None = None
    """Parameters that the upstream does not support, and that it answered without."""
    error: str | None = None
    """The code of the error."""

    def __post_init__(self) -> None:
        self.elapsed_ms = stopwatch()
        """Milliseconds since the request arrived."""


_FIELDS = [field.name for field in fields(AccessRecord)]


def write_access_line(record: AccessRecord) -> None:
    """Call it once the response has ended: for a stream long after its status was sent."""
    if not access_log.isEnabledFor(logging.INFO):
        return
    record.duration_ms = record.elapsed_ms()
    values = [(name, getattr(record, name)) for name in _FIELDS]
    known = {name: value for name, value in values if value is not None}
    # Not access_log.info, which looks for the calling line of code, at a third of the whole cost.
    line = logging.LogRecord(
        access_log.name, logging.INFO, __file__, 0, "request", None, None
    )
    line.fields = known
    access_log.handle(line)


def configure_logging(settings: Settings) -> None:
    """Logs to standard error. A second call replaces what the first one set."""
    handler = logging.StreamHandler()
    json_lines = settings.log_format == "json"
    handler.setFormatter(_JsonFormatter() if json_lines else _TextFormatter())
    root = logging.getLogger("octomil_ref")
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    root.propagate = False


class _TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO request method=POST path=/api/v1/inference …`"""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        for name, value in getattr(record, "fields", {}).items():
            line += f" {name}={_quoted(value)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
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


def _quoted(value: object) -> str:
    """A value that cannot pass for another field or line: quoted unless it is one plain word."""
    text = str(value)
    return text if _PLAIN_WORD.fullmatch(text) else json.dumps(text)
