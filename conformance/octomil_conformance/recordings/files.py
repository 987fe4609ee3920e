"""Files of recordings: how large they may be, and which endpoint they are about, by their name, folder or URL."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.config import BASE_PATH, METHODS, PATHS, UsageError
from octomil_conformance.exchange import parse_json

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of a file, and of a body without its coding."""
AT_MOST = f"expected at most {MAX_BYTES} ({MAX_BYTES >> 20} MiB)"

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""The byte order marks at the beginning of a text in UTF-16."""

WORDS = {name: name for name in PATHS} | {
    "inference": "infer",
    "streaming": "stream",
    "embedding": "embed",
    "embeddings": "embed",
}
"""Words in names of files and folders, and the profile that each stands for."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def read_bytes(path: Path) -> bytes:
    """Raises UsageError, or OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"has {path.stat().st_size} bytes: {AT_MOST}")
    if data.startswith(UTF_16):
        raise UsageError("it is UTF-16, as PowerShell's > writes it: expected UTF-8")
    return data


def json_in(data: bytes) -> Any:
    """Raises UsageError that says where the JSON is wrong, such as at the end of a file that was cut off."""
    try:
        return parse_json(data)
    except ValueError as ex:
        raise UsageError(f"it is not JSON: {ex}") from ex


def endpoint_in(names: Iterable[str]) -> str | None:
    """The profile that the first name with a known word stands for.

    The longest known word decides, or the first of two that are equally long. `inference`, with which most paths begin, decides only alone.
    """
    for name in names:
        known = [word for word in _words(name) if word in WORDS]
        special = [word for word in known if WORDS[word] != "infer"] or known
        if special:
            return WORDS[max(special, key=len)]
    return None


def endpoint_of(method: str, url: str) -> str | None:
    """The profile whose endpoint was called; None for another URL, or another method (a preflight)."""
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:  # a bracket that is not closed
        return None
    for profile, tail in PATHS.items():
        if method == METHODS[profile] and path.endswith(BASE_PATH + tail):
            return profile
    return None


def _words(name: str) -> list[str]:
    """`inferenceStream-2.http`: inference, stream, http."""
    return [word.lower() for word in WORD.findall(name)]
