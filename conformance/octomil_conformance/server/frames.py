"""The frames of a stream: one event, or one comment, with its blank line. Pure."""

import json
from collections.abc import Iterable, Iterator

from octomil_conformance.server.layers import Json


def frames(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Whole frames as soon as they are there, however they were cut into pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        yield from (frame + b"\n\n" for frame in whole)


def fields_of(frame: bytes) -> Json | None:
    """Of a frame with data; None for a comment."""
    if not frame.startswith(b"data: "):
        return None
    fields: Json = json.loads(frame[6:])
    return fields


def frame_of(fields: Json) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"
