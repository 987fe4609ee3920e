"""The fields of a manifest's entry: what is wanted of each, and how it is read."""

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, cast, get_args

from octomil_conformance.config import PATHS
from octomil_conformance.exchange import End, Headers, is_integer
from octomil_conformance.wire.completions import is_latency


def _is_inside(value: object) -> bool:
    path = PurePosixPath(value) if isinstance(value, str) else PurePosixPath("/")
    is_plain = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return is_plain and "\\" not in str(value)


def _is_headers(value: object) -> bool:
    pairs = list(value.items()) if isinstance(value, dict) else value
    return isinstance(pairs, list) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(each, str) for each in pair)
        for pair in pairs
    )  # fmt: skip


def _is_chunks(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and is_latency(pair[0]) and is_integer(pair[1]) and pair[1] > 0
        for pair in value
    )  # fmt: skip


def _is_status(value: object) -> bool:
    return is_integer(value) and 200 <= cast(int, value) <= 599


FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "file": ("a path below the manifest's folder, with / in it", _is_inside),
    "endpoint": (f"one of {', '.join(PATHS)}", lambda value: value in tuple(PATHS)),
    "kind": ("answer or failure", lambda value: value in ("answer", "failure")),
    "status": ("an integer from 200 to 599", _is_status),
    "headers": ("an object of strings, or pairs of them", _is_headers),
    "request": ("an object with a body", lambda value: isinstance(value, dict)),
    "end": (f"one of {', '.join(get_args(End))}", lambda value: value in get_args(End)),
    "chunks": ("pairs of seconds and a number of bytes", _is_chunks),
    "seconds": ("a number, zero or more", is_latency),
    "problem": ("a string", lambda value: isinstance(value, str)),
    "expected": ("an object", lambda value: isinstance(value, dict)),
}  # fmt: skip
COMMENTS = ("expected",)
"""What `export` writes for readers of its corpus; says nothing of what was recorded."""


def _headers(value: dict[str, str] | list[list[str]]) -> Headers:
    pairs = value.items() if isinstance(value, dict) else value
    return tuple((name, text) for name, text in pairs)


def _request(value: dict[str, Any]) -> bytes:
    return json.dumps(value["body"]).encode() if "body" in value else b""


def _chunks(value: list[list[float]]) -> tuple[tuple[float, int], ...]:
    return tuple((float(at), int(size)) for at, size in value)


READ: dict[str, Callable[[Any], Any]] = {
    "headers": _headers,
    "request": _request,
    "chunks": _chunks,
}


def told(raw: dict[str, Any]) -> dict[str, Any]:
    """What an entry says of its recording, in the types of `Entry`."""
    return {
        key: READ[key](value) if key in READ else value
        for key, value in raw.items()
        if key not in COMMENTS
    }
