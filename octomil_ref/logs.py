"""The log: one line per request, as text for people or as JSON for machines.

A line never holds a prompt, an answer or a token of a client.
"""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from itertools import groupby

from octomil_ref.errors import UpstreamError
from octomil_ref.records import AccessRecord, Attempt
from octomil_ref.settings import Settings

access_log = logging.getLogger("octomil_ref.requests")
attempt_log = logging.getLogger("octomil_ref.attempts")

_FIELDS = [field.name for field in fields(AccessRecord)]


def write_access_line(record: AccessRecord) -> None:
    """Call it once the response is ready, or for a stream once it has ended."""
    level = _level(record)
    if not access_log.isEnabledFor(level):
        return
    record.duration_ms = record.elapsed_ms()
    values = vars(record)
    known = {name: values[name] for name in _FIELDS if values[name] is not None}
    # access_log.log would also look for the calling line of code, which is a third of the whole cost.
    line = logging.LogRecord(access_log.name, level, __file__, 0, "request", None, None)
    line.fields = known
    access_log.handle(line)


def _level(record: AccessRecord) -> int:
    if record.status >= 500 or record.ended == "interrupted":
        return logging.ERROR
    # Orchestrators and Prometheus ask every few seconds.
    is_routine = record.is_polled and record.status == 200
    return logging.DEBUG if is_routine else logging.INFO


def write_attempt(attempt: Attempt) -> None:
    """A WARNING for an attempt that failed. If the next backend answers, it is the only trace of the failure."""
    failure = attempt.failure
    if not isinstance(failure, UpstreamError):
        return
    fields = {
        "request_id": attempt.request_id,
        "provider": attempt.provider,
        "model": attempt.request.model_id,
        "kind": type(failure).__name__,
        "upstream_status": failure.upstream_status,
        "detail": without_prompt(failure.detail, attempt.request.texts()),
        "duration_ms": attempt.duration_ms,
    }
    known = {name: value for name, value in fields.items() if value not in (None, "")}
    event = "stream interrupted" if attempt.interrupted else "attempt failed"
    attempt_log.warning(event, extra={"fields": known})


MAX_DETAIL = 300  # characters of what an upstream said, at most

MIN_QUOTE, MAX_QUOTE = 4, 8
"""An upstream's message quotes a prompt if both contain the same 8 characters in a row, or if it contains a whole prompt of 4 to 7 characters."""

MAX_PROMPT = 256 * 1024
"""The most characters of a prompt whose quotations are looked for. With a longer prompt, the upstream's message is not logged."""

HIDDEN = "(not shown)"


def without_prompt(detail: str, texts: Iterable[str]) -> str:
    """The upstream's message without its quotations from the prompt."""
    shown, prompt = detail[:MAX_DETAIL], "\n".join(texts)
    if len(prompt) > MAX_PROMPT:
        return shown and HIDDEN
    size = max(MIN_QUOTE, min(MAX_QUOTE, len(prompt)))
    quoted = [False] * len(shown)
    for at in range(len(shown) - size + 1):
        if shown[at : at + size] in prompt:
            quoted[at : at + size] = [True] * size
    runs = groupby(zip(quoted, shown, strict=True), key=lambda each: each[0])
    return "".join(
        HIDDEN if is_quoted else "".join(character for _, character in run)
        for is_quoted, run in runs
    )


def configure_logging(settings: Settings) -> None:
    """Our lines and waitress's go to standard error. A second call replaces what the first one set."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(settings))
    for name in ("octomil_ref", "waitress"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(settings.log_level)
        logger.propagate = False


def formatter(settings: Settings) -> logging.Formatter:
    return _JsonFormatter() if settings.log_format == "json" else _TextFormatter()


class _TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO request method=POST path=/api/v1/inference …`"""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.getMessage()}"
        fields = getattr(record, "fields", {}).items()
        line += "".join([f" {name}={_quoted(value)}" for name, value in fields])
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def _time(record: logging.LogRecord) -> str:
    """In UTC, as RFC 3339 writes it."""
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_PLAIN_WORD = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without space, quote and equals sign."""


def _quoted(value: object) -> str:
    """A value that cannot pass for another field or line: quoted unless it is a number or one plain word."""
    if type(value) in (int, float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return text if _PLAIN_WORD.fullmatch(text) else json.dumps(text)
