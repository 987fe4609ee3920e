"""Whose answer a recording is, told by its name or by the folder that it lies in."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from octomil_conformance.config import BASE_PATH, PATHS, UsageError

WORDS = {
    "infer": "infer",
    "inference": "infer",
    "stream": "stream",
    "streaming": "stream",
    "batch": "batch",
    "embed": "embed",
    "embedding": "embed",
    "embeddings": "embed",
    "health": "health",
}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def endpoint_in(names: Iterable[str]) -> str | None:
    """The profile that the first telling name tells. `inference` gives way to a more special word: the paths begin with it. Raises UsageError."""
    for name in names:
        told = {WORDS[word] for word in _words(name) if word in WORDS}
        special = sorted(told - {"infer"}) or sorted(told)
        if len(special) > 1:
            raise UsageError(f"its name says both {' and '.join(special)}")
        if special:
            return special[0]
    return None


def endpoint_of(method: str, url: str) -> str | None:
    """The profile whose endpoint was called; None: another URL, or another method (a preflight)."""
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:  # a bracket without its fellow
        return None
    for profile, tail in PATHS.items():
        wanted = "GET" if profile == "health" else "POST"
        if method == wanted and path.endswith(BASE_PATH + tail):
            return profile
    return None


def _words(name: str) -> list[str]:
    """`inferenceStream-2.http`: inference, stream, http."""
    return [word.lower() for word in WORD.findall(name)]
