"""Freedoms of streams that the standard leaves, and ways in which servers and proxies split them."""

import json
from collections.abc import Iterable, Iterator

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, fields_of, frame_of
from octomil_conformance.server.variants import STREAMS

Frames = Iterator[bytes]
LONG = 100_000
"""A token or frame that is longer is not split into letters or bytes: that would take minutes."""


@on.streams(STREAMS)
def crlf(frames: Frames) -> Iterable[bytes]:
    """Lines end with CR LF."""
    return (frame.replace(b"\n", b"\r\n") for frame in frames)


@on.streams(STREAMS)
def comments(frames: Frames) -> Iterable[bytes]:
    """There are comment lines before, between and after the events, the last one without a line end."""
    yield b": welcome\n\n"
    for frame in frames:
        yield b": heartbeat\n\n" + frame
    yield b": bye"


@on.streams(STREAMS)
def named_events(frames: Frames) -> Iterable[bytes]:
    """Events have `event:`, `id:` and `retry:` lines."""
    return (b"event: message\nid: 7\nretry: 1000\n" + frame for frame in frames)


@on.streams(STREAMS)
def id_after_data(frames: Frames) -> Iterable[bytes]:
    """The `id:` line comes after the `data:` line."""
    return (frame.replace(b"\n\n", b"\nid: 7\n\n") for frame in frames)


@on.streams(STREAMS)
def no_space(frames: Frames) -> Iterable[bytes]:
    """No space follows `data:`."""
    return (frame.replace(b"data: ", b"data:", 1) for frame in frames)


@on.streams(STREAMS)
def more_blank_lines(frames: Frames) -> Iterable[bytes]:
    """There are several blank lines between events."""
    return (b"\n" + frame + b"\n\n" for frame in frames)


@on.streams(STREAMS)
def ends_with_done(frames: Frames) -> Iterable[bytes]:
    """`data: [DONE]` follows the last event."""
    yield from frames
    yield b"data: [DONE]\n\n"


@on.streams(STREAMS)
def byte_by_byte(frames: Frames) -> Iterable[bytes]:
    """Every byte is a chunk of its own."""
    for frame in frames:
        long = len(frame) > LONG
        yield from [frame] if long else (bytes([byte]) for byte in frame)


@on.streams(STREAMS)
def split_in_characters(frames: Frames) -> Iterable[bytes]:
    """Letters are not escaped, and pieces end inside of a UTF-8 character."""
    for frame in frames:
        data = _raw(frame)
        cut = next((place for place, byte in enumerate(data) if byte > 127), 3) + 1
        yield data[:cut]
        yield data[cut:]


def _raw(frame: bytes) -> bytes:
    """Without escapes, except for the three characters that look like line ends."""
    fields = fields_of(frame)
    if fields is None:
        return frame
    text = json.dumps(fields, ensure_ascii=False)
    for mark in "\u0085\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f"data: {text}\n\n".encode()


@on.final_events(STREAMS)
def bare_final_event(fields: Json) -> None:
    """The final event has no token, no provider, no finish_reason and no usage."""
    for name in ("token", "provider", "finish_reason", "usage"):
        fields.pop(name, None)


@on.events(STREAMS)
def more_in_events(fields: Json) -> bytes:
    """Events have unknown fields, and the fields of the final event early."""
    more = {"index": 0, "logprobs": None, "latency_ms": 0, "session_id": None}
    return frame_of({**more, **fields})


@on.events(STREAMS)
def letter_by_letter(fields: Json) -> bytes:
    """Each token is one letter."""
    token = fields["token"]
    letters = [token] if len(token) > LONG else token or [""]
    return b"".join(frame_of({**fields, "token": letter}) for letter in letters)


@on.streams("stream@1")
def one_token(frames: Frames) -> Iterable[bytes]:
    """The whole answer is the token of the final event."""
    events = [each for each in map(fields_of, frames) if each]
    text = "".join(event["token"] for event in events)
    yield frame_of({**events[-1], "token": text})


@on.headers(STREAMS)
def no_store(headers: dict[str, str]) -> None:
    """Cache-Control is No-Store with more words, and Content-Type has a charset."""
    if headers["content-type"].startswith("text/event-stream"):
        headers["cache-control"] = "No-Store, no-transform"
        headers["content-type"] = "Text/Event-Stream; charset=utf-8"
