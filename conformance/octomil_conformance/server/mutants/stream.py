"""Streams that clients cannot read."""

import json
import time
from collections.abc import Iterable, Iterator

from octomil_conformance.server.layers import Json, Response, fields_of, frame_of
from octomil_conformance.server.mutants import events, responses, streams


@responses("stream@0", "STREAM-01")
def stream_is_created(response: Response) -> None:
    """A stream has the status 201 instead of 200."""
    response.status = 201 if response.status == 200 else response.status


@responses("stream@0", "STREAM-01")
def stream_is_plain_text(response: Response) -> None:
    """The content type of a stream is text/plain."""
    response.headers["content-type"] = "text/plain"


@events("stream@0", "STREAM-02")
def event_on_two_lines(fields: Json) -> bytes:
    """The JSON of an event is on two data lines."""
    return frame_of(fields).replace(b', "', b',\ndata: "', 1)


@streams("stream@0", "STREAM-02")
def begins_with_null(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The first event is null."""
    yield b"data: null\n\n"
    yield from frames


@events("stream@0", "STREAM-03")
def data_is_indented(fields: Json) -> bytes:
    """There is a space before `data:`."""
    return b" " + frame_of(fields)


@events("stream@0", "STREAM-04")
def token_is_an_object(fields: Json) -> None:
    """`token` is an object around the text."""
    if not fields["done"]:
        fields["token"] = {"text": fields["token"]}


@events("stream@0", "STREAM-04")
def token_is_called_text(fields: Json) -> None:
    """The text is in `text`, not in `token`."""
    if not fields["done"]:
        fields["text"] = fields.pop("token")


@events("stream@0", "STREAM-05")
def last_event_has_no_blank_line(fields: Json) -> bytes | None:
    """The blank line after the last event is missing."""
    return frame_of(fields).rstrip() + b"\n" if fields["done"] else None


@events("stream@0", "STREAM-05")
def last_line_has_no_end(fields: Json) -> bytes | None:
    """The line end after the last event is missing."""
    return frame_of(fields).rstrip() if fields["done"] else None


@events("stream@0", "STREAM-06")
def done_is_a_number(fields: Json) -> None:
    """`done` is 0 instead of false."""
    fields["done"] = fields["done"] or 0


@events("stream@0", "STREAM-06")
def done_is_left_out(fields: Json) -> None:
    """Only the final event has `done`."""
    if not fields["done"]:
        del fields["done"]


@events("stream@0", "STREAM-07")
def lines_end_with_cr(fields: Json) -> bytes:
    """Lines end with CR only."""
    return frame_of(fields).replace(b"\n", b"\r")


@streams("stream@0", "STREAM-08")
def begins_with_a_mark(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The stream begins with a byte order mark."""
    yield b"\xef\xbb\xbf"
    yield from frames


@streams("stream@0", "STREAM-09")
def final_event_twice(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The final event is sent twice."""
    for frame in frames:
        yield frame
        if (fields_of(frame) or {}).get("done"):
            yield frame


@events("stream@0", "STREAM-09")
def never_done(fields: Json) -> None:
    """No event says that the answer is complete."""
    fields["done"] = False


@streams("stream@0", "STREAM-09")
def goes_on_after_done(frames: Iterable[bytes]) -> Iterator[bytes]:
    """A token follows the final event."""
    yield from frames
    yield frame_of({"token": "!", "done": False, "provider": "ollama"})


@events("stream@2", "STREAM-10", shows="unicode")
def separators_are_raw(fields: Json) -> bytes:
    """U+2028 and other separators are not escaped."""
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()


@events("stream@0", "STREAM-11")
def stream_latency_is_negative(fields: Json) -> None:
    """`latency_ms` is negative."""
    if fields["done"]:
        fields["latency_ms"] = -1.5


@events("stream@0", "STREAM-12")
def stream_provider_is_null(fields: Json) -> None:
    """`provider` is null."""
    fields["provider"] = None


@events("stream@0", "STREAM-13")
def tokens_have_no_provider(fields: Json) -> None:
    """Only the final event has a `provider`."""
    if not fields["done"]:
        del fields["provider"]


@events("stream@0", "STREAM-14")
def session_is_missing(fields: Json) -> None:
    """The final event has no `session_id`."""
    fields.pop("session_id", None)


@responses("stream@0", "STREAM-15")
def stream_may_be_cached(response: Response) -> None:
    """Cache-Control allows caches to keep a stream."""
    response.headers["cache-control"] = "max-age=60"


@events("stream@0", "STREAM-16")
def probability_is_nan(fields: Json) -> None:
    """A number is written as NaN."""
    fields["probability"] = float("nan")


@events("stream@0", "STREAM-16")
def text_is_latin_1(fields: Json) -> bytes:
    """The JSON is written in Latin-1."""
    fields["note"] = "caf\u00e9"
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode("latin-1")


@streams("stream@0", "STREAM-17")
def lingers_after_done(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The transfer stays open after the final event."""
    yield from frames
    time.sleep(2.1)


@events("stream@0", "STREAM-18")
def stream_usage_does_not_add_up(fields: Json) -> None:
    """`total_tokens` is not the sum."""
    if fields["done"]:
        fields["usage"] = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 4}  # fmt: skip


@events("stream@0", "STREAM-18")
def stream_ends_for_no_known_reason(fields: Json) -> None:
    """`finish_reason` is an unknown word."""
    if fields["done"]:
        fields["finish_reason"] = "eos_token"


@events("stream@0", "HTTP-25")
def session_is_a_number(fields: Json) -> None:
    """`session_id` is a number."""
    if fields["done"]:
        fields["session_id"] = 4711


@streams("stream@0", "HTTP-21")
def end_of_stream_is_missing(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The transfer breaks off after the final event."""
    yield from frames
    raise ConnectionError
