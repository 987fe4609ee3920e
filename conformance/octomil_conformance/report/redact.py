"""Removes the token from everything that leaves the process, even if a server echoes it."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from urllib.parse import quote

MASK = "[redacted]"
PLAINLY_SECRET = 8
"""A token of this length or longer is removed inside of words too. A shorter one may be part of a word, as `tok` of `token`."""


def redact(text: str, token: str | None) -> str:
    return _pattern(token).sub(MASK, text) if token else text


def redact_pieces(pieces: Sequence[bytes], token: str | None) -> list[bytes]:
    """Like `redact`, for a body in pieces. If a token spans several pieces, the mask is in the first."""
    body = b"".join(pieces).decode("latin-1")
    as_bytes = token.encode().decode("latin-1") if token else ""
    spans = [each.span() for each in _pattern(as_bytes).finditer(body) if token]
    cuts = pairwise([0, *accumulate(map(len, pieces))])
    return ["".join(_masked(body, *cut, spans)).encode("latin-1") for cut in cuts]


def _masked(
    body: str, start: int, stop: int, spans: list[tuple[int, int]]
) -> Iterator[str]:
    """The piece from `start` to `stop`."""
    place = start
    for first, after in spans:
        if first < stop and after > start:
            yield body[place:first]
            yield MASK if first >= start else ""
            place = min(after, stop)
    yield body[place:stop]


def _pattern(token: str) -> re.Pattern[str]:
    """The token in every form in which it may be written, the longest first."""
    forms = {token, json.dumps(token)[1:-1], quote(token)}
    return re.compile("|".join(map(_form, sorted(forms, key=len, reverse=True))))


def _form(text: str) -> str:
    form = re.escape(text)
    return form if len(text) >= PLAINLY_SECRET else rf"(?<!\w){form}(?!\w)"
