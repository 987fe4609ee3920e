"""Freedoms of streams that the standard leaves, and ways in which servers and proxies split them."""

import json
from collections.abc import Iterable, Iterator

from octomil_conformance.server.layers import (
    Json,
    Request,
    Response,
    Server,
    fields_of,
    frame_of,
    frames,
    on_streams,
)
from octomil_conformance.server.variants import (
    STREAMS,
    each_event,
    each_frame,
    variant,
)


@variant(STREAMS, each_frame)
def crlf(fields: Json | None, frame: bytes) -> bytes:
    """Lines end with CR LF."""
    return frame.replace(b"\n", b"\r\n")


@variant(STREAMS, on_streams)
def comments(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """There are comment lines before, between and after the events."""
    yield b": welcome\n\n"
    for frame in frames(pieces):
        yield b": heartbeat\n\n" + frame
    yield b": bye\n\n"


@variant(STREAMS, each_frame)
def named_events(fields: Json | None, frame: bytes) -> bytes:
    """Events have `event:`, `id:` and `retry:` lines."""
    return b"event: message\nid: 7\nretry: 1000\n" + frame


@variant(STREAMS, each_frame)
def id_after_data(fields: Json | None, frame: bytes) -> bytes:
    """The `id:` line comes after the `data:` line."""
    return frame.replace(b"\n\n", b"\nid: 7\n\n")


@variant(STREAMS, each_frame)
def no_space(fields: Json | None, frame: bytes) -> bytes:
    """No space follows `data:`."""
    return frame.replace(b"data: ", b"data:", 1)


@variant(STREAMS, each_frame)
def more_blank_lines(fields: Json | None, frame: bytes) -> bytes:
    """There are several blank lines between events."""
    return b"\n" + frame + b"\n\n"


@variant(STREAMS, on_streams)
def ends_with_done(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`data: [DONE]` follows the last event."""
    yield from pieces
    yield b"data: [DONE]\n\n"


@variant(STREAMS, on_streams)
def byte_by_byte(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Every byte is a chunk of its own."""
    for piece in pieces:
        yield from (piece[index : index + 1] for index in range(len(piece)))


@variant(STREAMS, on_streams)
def split_in_characters(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Letters are not escaped, and pieces end inside of a UTF-8 character."""
    for frame in frames(pieces):
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


@variant(STREAMS)
def close_delimited(request: Request, server: Server) -> Response:
    """The end of the connection is the end of the stream, whether it is complete or not."""
    response = server(request)
    if response.is_stream:
        response.headers["connection"] = "close"
    return response


@variant(STREAMS, each_event)
def bare_final_event(fields: Json) -> bytes:
    """The final event has no token, no provider, no finish_reason and no usage."""
    if fields["done"]:
        for name in ("token", "provider", "finish_reason", "usage"):
            fields.pop(name, None)
    return frame_of(fields)


@variant(STREAMS, each_event)
def more_in_events(fields: Json) -> bytes:
    """Events have unknown fields, and the fields of the final event early."""
    more = {"index": 0, "logprobs": None, "latency_ms": 0, "session_id": None}
    return frame_of({**more, **fields})


@variant(STREAMS, on_streams)
def letter_by_letter(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each token is one letter."""
    for frame in frames(pieces):
        fields = fields_of(frame)
        if fields and fields["token"]:
            for letter in fields["token"]:
                yield frame_of({**fields, "token": letter})
        else:
            yield frame


@variant({"stream": 1}, on_streams)
def one_token(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The whole answer is the token of the final event."""
    events = [each for each in map(fields_of, frames(pieces)) if each]
    text = "".join(event["token"] for event in events)
    yield frame_of({**events[-1], "token": text})


@variant(STREAMS)
def no_store(request: Request, server: Server) -> Response:
    """Cache-Control is No-Store with more words, and Content-Type has a charset."""
    response = server(request)
    if response.is_stream:
        response.headers["cache-control"] = "No-Store, no-transform"
        response.headers["content-type"] = "Text/Event-Stream; charset=utf-8"
    return response
