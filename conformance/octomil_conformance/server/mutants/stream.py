"""Streams that clients cannot read, or whose text differs from the model's."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from unicodedata import normalize

from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Json,
    Request,
    Response,
    fields_of,
    frame_of,
)
from octomil_conformance.server.mutants.infer import USAGE
from octomil_conformance.server.on import GONE

SESSION = re.compile(rb'("session_id": ?")[^"]*')


@on.responses("stream@0", "STREAM-01")
def stream_is_created(response: Response) -> None:
    """A good answer has the status 201."""
    if response.status == 200:
        response.status = 201


on.headers("stream@0", "STREAM-01").sets(
    stream_is_plain_text=("content-type", "text/plain")
)
on.headers("stream@0", "STREAM-15").sets(
    stream_may_be_cached=("cache-control", "max-age=60")
)
on.token_events("stream@0", "STREAM-06").sets(
    done_is_left_out=("done", GONE), done_is_a_number=("done", 0)
)
on.events("stream@0", "STREAM-09").sets(never_done=("done", False))
on.final_events("stream@0", "STREAM-11").sets(
    stream_latency_is_negative=("latency_ms", -1.5)
)
on.events("stream@0", "STREAM-12").sets(stream_provider_is_null=("provider", None))
on.token_events("stream@0", "STREAM-13").sets(
    tokens_have_no_provider=("provider", GONE)
)
on.events("stream@0", "STREAM-14").sets(session_is_missing=("session_id", GONE))
on.events("stream@0", "STREAM-16").sets(
    probability_is_nan=("probability", float("nan"))
)


@on.final_events("stream@0", "STREAM-18")
def stream_usage_does_not_add_up(fields: Json) -> None:
    """`total_tokens` is not the sum of the other counts."""
    fields["usage"] = USAGE


on.final_events("stream@0", "STREAM-18").sets(
    stream_ends_for_no_known_reason=("finish_reason", "eos_token")
)


@on.final_events("stream@2", "STREAM-27")
def sessions_are_times(fields: Json) -> None:
    """The `session_id` is the time, so that streams that end at once have the same."""
    fields["session_id"] = str(int(20 * time.monotonic()))


on.final_events("stream@2", "STREAM-27").sets(
    sessions_are_the_same=("session_id", "9b2f")
)
on.final_events("stream@0", "HTTP-25").sets(session_is_a_number=("session_id", 4711))


@on.events("stream@0", "STREAM-02")
def event_on_two_lines(fields: Json) -> bytes:
    """The JSON of an event is on two data lines."""
    return frame_of(fields).replace(b', "', b',\ndata: "', 1)


@on.streams("stream@0", "STREAM-02")
def begins_with_null(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The first event is null."""
    yield b"data: null\n\n"
    yield from frames


@on.events("stream@0", "STREAM-03")
def data_is_indented(fields: Json) -> bytes:
    """There is a space before `data:`."""
    return b" " + frame_of(fields)


@on.token_events("stream@0", "STREAM-04")
def token_is_an_object(fields: Json) -> None:
    """`token` is an object around the text."""
    fields["token"] = {"text": fields["token"]}


@on.token_events("stream@0", "STREAM-04")
def token_is_called_text(fields: Json) -> None:
    """The text is in `text`, not in `token`."""
    fields["text"] = fields.pop("token")


@on.final_events("stream@0", "STREAM-05")
def last_event_has_no_blank_line(fields: Json) -> bytes:
    """The blank line after the last event is missing."""
    return frame_of(fields).rstrip() + b"\n"


@on.final_events("stream@0", "STREAM-05")
def last_line_has_no_end(fields: Json) -> bytes:
    """The line end after the last event is missing."""
    return frame_of(fields).rstrip()


@on.events("stream@0", "STREAM-07")
def lines_end_with_cr(fields: Json) -> bytes:
    """Lines end with CR only."""
    return frame_of(fields).replace(b"\n", b"\r")


@on.streams("stream@0", "STREAM-08")
def begins_with_a_mark(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The stream begins with a byte order mark."""
    yield b"\xef\xbb\xbf"
    yield from frames


@on.final_events("stream@0", "STREAM-09")
def final_event_twice(fields: Json) -> bytes:
    """The final event is sent twice."""
    return 2 * frame_of(fields)


@on.streams("stream@0", "STREAM-09")
def goes_on_after_done(frames: Iterator[bytes]) -> Iterator[bytes]:
    """A token follows the final event."""
    yield from frames
    yield frame_of({"token": "!", "done": False, "provider": "ollama"})


@on.events("stream@2", "STREAM-10", shows="unicode")
def separators_are_raw(fields: Json) -> bytes:
    """U+2028 and other separators are not escaped."""
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()


@on.events("stream@0", "STREAM-16")
def text_is_latin_1(fields: Json) -> bytes:
    """The JSON is written in Latin-1."""
    fields["note"] = "caf\u00e9"
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode("latin-1")


@on.streams("stream@0", "STREAM-17")
def lingers_after_done(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The transfer stays open after the final event."""
    yield from frames
    time.sleep(2.1)


@on.streams("stream@0", "HTTP-21")
def end_of_stream_is_missing(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The transfer breaks off after the final event."""
    yield from frames
    raise ConnectionError


@on.streams("stream@2", "STREAM-33", shows="flood-cut")
def what_a_slow_client_has_not_read_is_lost(frames: Iterator[bytes]) -> Iterator[bytes]:
    """If much has been sent, the transfer breaks off before its error event."""
    size = 0
    for frame in frames:
        size += len(frame)
        if size > 2**20 and b'"error": {' in frame:
            raise BrokenPipeError
        yield frame


@on.replies("stream@2", "STREAM-27")
def session_is_the_request_id(request: Request, response: Response) -> None:
    """The `session_id` is the id that the client gave its request."""
    given = request.headers.get("x-request-id", "").encode()
    if given and response.is_stream:
        renamed = partial(SESSION.sub, rb"\1" + given)
        response.pieces = map(renamed, response.pieces)


@on.replies("stream@2", "STREAM-27")
def sessions_are_kept_in_a_cookie(request: Request, response: Response) -> None:
    """The `session_id` is in a cookie too, and a client that sends it gets the same one again."""
    if response.is_stream:
        session = request.headers.get("cookie", f"id={time.monotonic_ns()}")
        response.headers["set-cookie"] = session
        renamed = partial(SESSION.sub, rb"\1" + session.encode())
        response.pieces = map(renamed, response.pieces)


@on.replies("stream@2", "STREAM-19 STREAM-32")
def streams_end_with_a_connection_that_ends(
    request: Request, response: Response
) -> None:
    """A client that sends `Connection: close` gets a stream without chunks, which ends when the connection does."""
    if response.is_stream and request.headers.get("connection") == "close":
        response.headers["connection"] = "close"


@on.headers("stream@2", "STREAM-19 STREAM-32 STREAM-35")
def close_delimited(headers: dict[str, str]) -> None:
    """The end of the connection is the end of the stream, whether it is complete or not."""
    if headers["content-type"].startswith("text/event-stream"):
        headers["connection"] = "close"


@on.streams("stream@2", "STREAM-26", shows=None)
def a_client_must_keep_up(frames: Iterator[bytes]) -> Iterator[bytes]:
    """A stream breaks off if its client does not read for a second."""
    for frame in frames:
        began = time.monotonic()
        yield frame
        if time.monotonic() > began + 1.0:
            raise ConnectionError


@on.streams("stream@2", "STREAM-31 STREAM-32", shows="cut-after-long-thought")
def a_cut_without_a_token_is_an_empty_answer(
    frames: Iterator[bytes],
) -> Iterator[bytes]:
    """A stream that breaks off after reasoning alone ends as an empty answer."""
    is_begun = False
    try:
        for frame in frames:
            is_begun = is_begun or bool((fields_of(frame) or {}).get("token"))
            yield frame
    except BrokenPipeError:
        if is_begun:
            raise
        yield frame_of({"token": "", "done": True, "provider": "ollama"})


@on.events("stream@2", "STREAM-21 STREAM-23 STREAM-25 STREAM-26 STREAM-34")
def spaces_are_lost(fields: Json) -> None:
    """White space around a token is removed."""
    fields["token"] = fields["token"].strip()


@on.events("stream@2", "STREAM-21", shows="unicode")
def tokens_are_normalized(fields: Json) -> None:
    """The model's text is changed to another Unicode form."""
    fields["token"] = normalize("NFC", fields["token"])


@on.replies("stream@2", "STREAM-29", shows=None)
def the_status_waits_for_a_token(request: Request, response: Response) -> None:
    """The status of a stream is sent with its first token, however long the model reasons."""
    if request.played == "ponder":
        pieces = iter(response.pieces)
        first = next(each for each in pieces if not each.startswith(b":"))
        response.pieces = chain([first], pieces)
