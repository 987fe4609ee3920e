"""HAR files, as browsers and Playwright write them: the entries that called this API, and what the browser saved of the responses."""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.config import BASE_PATH, UsageError
from octomil_conformance.exchange import (
    MISSING,
    Chunk,
    Exchange,
    Headers,
    Request,
    field,
    is_integer,
    items,
)
from octomil_conformance.recordings.files import endpoint_of, json_in
from octomil_conformance.recordings.recording import Part, Recording
from octomil_conformance.wire.common import is_latency

BROKEN_OFF = ("_error", "_failureText")
"""The fields in which Chromium and Playwright note that a transfer broke off."""


@dataclass(frozen=True)
class Har:
    recordings: tuple[Recording, ...]
    others: int
    """How many entries have another URL, or another method."""
    unanswered: int
    """How many failed before there was a response."""


def read(path: Path, data: bytes) -> Har:
    """Raises UsageError."""
    entries = field(field(json_in(data), "log"), "entries")
    if not isinstance(entries, list):
        raise UsageError('expected {"log": {"entries": […]}}')
    recordings, others, unanswered = [], 0, 0
    for number, entry in enumerate(entries):
        profile = _profile(entry)
        if profile is None:
            others += 1
        elif _status(entry, number) <= 0:
            unanswered += 1
        else:
            recordings.append(_recording(path, number, entry, profile))
    if not recordings:
        raise UsageError(
            f"none of its entries has an answer of this API: expected URLs with {BASE_PATH}"
        )
    return Har(tuple(recordings), others, unanswered)


def _profile(entry: object) -> str | None:
    request = field(entry, "request")
    method, url = field(request, "method"), field(request, "url")
    known = isinstance(method, str) and isinstance(url, str)
    return endpoint_of(method, url) if known else None


def _status(entry: object, number: int) -> int:
    status = field(field(entry, "response"), "status")
    if not is_integer(status):
        raise UsageError(
            f"entry {number}: response.status: expected an integer, not {status!r}"
        )
    return status


def _recording(path: Path, number: int, entry: Any, profile: str) -> Recording:
    place = f"entry {number}"
    request, response, seconds = entry["request"], entry["response"], entry["time"]
    sent = field(request["postData"], "text")
    problem = next(filter(None, (response.get(key) for key in BROKEN_OFF)), "")
    content = response["content"]
    is_kept = not problem or field(content, "text") is not MISSING
    body = _body(content, place) if is_kept else b""
    exchange = Exchange(
        Request(
            request["method"],
            urlsplit(request["url"]).path,
            (),  # the headers may have cookies and tokens of the browser
            sent.encode() if isinstance(sent, str) else b"",
            profile,
            str(path),
        ),
        _status(entry, number),
        _headers(response["headers"], place),
        (Chunk(0.0, body),) if body else (),
        "cut" if problem else "unrecorded",
        seconds / 1000 if is_latency(seconds) else 0.0,
        str(problem),
    )
    lacking: dict[Part, bool] = {
        "end": not problem,
        "body": not is_kept,
        "bytes": field(content, "encoding") != "base64",
        "times": True,
        "request": profile != "health" and not isinstance(sent, str),
    }
    lacks = [part for part in lacking if lacking[part]]
    return Recording.of(f"{path}#{number}", exchange, lacks, None)


def _body(content: object, place: str) -> bytes:
    text = field(content, "text")
    if text is MISSING and field(content, "size") == 0:
        return b""
    if field(content, "_file") is not MISSING:  # Playwright's "attach"
        raise UsageError(
            f'{place}: its body is in another file: expected content.text, which Playwright writes with content: "embed"'
        )
    if not isinstance(text, str):
        raise UsageError(f"{place}: its body was not saved: expected content.text")
    if field(content, "encoding") != "base64":
        return _bytes_of(text)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as ex:
        raise UsageError(
            f"{place}: content.text: expected base64, not {text[:20]!r}"
        ) from ex


def _bytes_of(text: str) -> bytes:
    """UTF-8. mitmproxy reads a stream without a charset as Latin-1; then these are its bytes."""
    try:
        data = text.encode("latin-1")
        data.decode()
    except UnicodeError:
        return text.encode("utf-8", "surrogatepass")
    return data


def _headers(raw: object, place: str) -> Headers:
    pairs = [(field(each, "name"), field(each, "value")) for each in items(raw)]
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        raise UsageError(f"{place}: headers: expected objects with a name and a value")
    return tuple(pairs)
