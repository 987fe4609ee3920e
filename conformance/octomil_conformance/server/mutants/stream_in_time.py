"""Streams that are late, mixed or wrong, waits that are too short or too long, and failures that look like answers."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain

from octomil_conformance.backend import THOUGHTS
from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import (
    Client,
    Json,
    Request,
    Response,
    Server,
    fields_of,
    frame_of,
    frames,
)
from octomil_conformance.server.mutants.infer import check_of
from octomil_conformance.server.on import GONE

TOKEN: Json = {"token": "", "done": False, "provider": "ollama"}
FINAL = frame_of({**TOKEN, "done": True})


@on.streams(
    "stream@2", "STREAM-20 STREAM-23 STREAM-24 STREAM-33 STREAM-34", shows="drip"
)
def buffers_stream(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The events are held back until the answer is complete."""
    yield from list(frames)


@on.streams("stream@2", "STREAM-20 STREAM-23 STREAM-33")
def tokens_in_pairs(frames: Iterator[bytes]) -> Iterator[bytes]:
    """A token waits for the next one."""
    held = b""
    for frame in frames:
        if held:
            yield held + frame
        held = b"" if held else frame
    yield held


_begun: dict[str, bytes] = {}


@on.requests("stream@2", "STREAM-23")
def answers_are_kept_by_beginning(request: Request) -> None:
    """A prompt that begins like an earlier one gets the earlier answer."""
    fields = request.fields
    messages = fields.get("messages")
    if messages:
        beginning = json.dumps(messages).split(".")[0]
        key = fields.get("model_id"), beginning
        request.body = _begun.setdefault(str(key), request.body)


@on.streams("stream@2", "STREAM-22", shows="empty")
def empty_answer_is_filled(frames: Iterator[bytes]) -> Iterator[bytes]:
    """An empty answer is replaced by a placeholder."""
    is_sent = False
    for frame in frames:
        fields = fields_of(frame) or {"done": False}
        if fields["done"] and not is_sent:
            yield frame_of({"token": "(empty)", "done": False, "provider": "ollama"})
        is_sent = True
        yield frame


@on.layer("stream@2", "STREAM-24 INFER-15", shows=None)
def ignores_disconnect(request: Request, server: Server) -> Response:
    """The model goes on after the client has left."""
    request.client = Client()
    response = server(request)
    pieces, close = iter(response.pieces), response.close
    response.pieces = pieces
    response.close = lambda: (list(pieces), close())
    return response


@on.replies("stream@2", "STREAM-25", shows="thinking")
def thoughts_are_tokens(request: Request, response: Response) -> None:
    """The model's reasoning is sent as tokens."""
    if request.played == "thinking" and response.is_stream:
        thoughts = [frame_of({**TOKEN, "token": each}) for each in THOUGHTS]
        response.pieces = chain(thoughts, response.pieces)


def broken_stream() -> Response:
    """A stream that breaks off before its first event."""

    def pieces() -> Iterator[bytes]:
        yield b""
        raise BrokenPipeError

    return Response(200, {"content-type": "text/event-stream"}, pieces())


def is_of_the_upstream(request: Request, response: Response) -> bool:
    """True for a failure that is not the client's own."""
    is_passed_on = request.played not in ("", "echo")
    return response.status >= 429 or (response.status in (400, 404) and is_passed_on)


@on.layer(
    "stream@2",
    "STREAM-30 REQ-19 REQ-20 HTTP-35 FALLBACK-07 FALLBACK-11 FAULT-01..10 FAULT-12..17",
    shows="http-500",
)
def status_before_first_token(request: Request, server: Server) -> Response:
    """200 is sent before the first token has come."""
    response = server(request)
    return broken_stream() if is_of_the_upstream(request, response) else response


@on.layer("stream@2", "STREAM-30 FALLBACK-09", shows="cut-in-thought")
def a_thought_fixes_the_status(request: Request, server: Server) -> Response:
    """200 is sent with the first of the model's thoughts."""
    if "cut-in-thought" in request.scenario and request.path.endswith("/stream"):
        return broken_stream()
    return server(request)


@on.layer("stream@2", "STREAM-30 FALLBACK-09", shows="cut-after-nothing")
def an_empty_token_fixes_the_status(request: Request, server: Server) -> Response:
    """200 is sent with an empty token, which comes with the role."""
    if "-after-nothing" in request.scenario and request.path.endswith("/stream"):
        return broken_stream()
    return server(request)


@on.streams("stream@2", "STREAM-31 STREAM-32 STREAM-33 STREAM-35", shows="cut")
def cut_looks_done(frames: Iterator[bytes]) -> Iterator[bytes]:
    """A failure in mid-stream is followed by an event with `done: true`."""
    try:
        yield from frames
    except BrokenPipeError:
        yield FINAL


@on.streams("stream@2", "STREAM-32 STREAM-35", shows="cut")
def cut_ends_cleanly(frames: Iterator[bytes]) -> Iterator[bytes]:
    """After a failure in mid-stream the transfer ends as if it were complete."""
    with suppress(BrokenPipeError):
        yield from frames


@on.layer(
    "stream@2",
    "STREAM-30..33 FALLBACK-09 FAULT-04 FAULT-06..09 FAULT-13 FAULT-14",
    shows="truncate",
)
def truncated_is_complete(request: Request, server: Server) -> Response:
    """An answer that the upstream does not finish counts as complete."""
    if request.played == "garbage" or "truncate-before-first" in request.scenario:
        request.scenario = "empty"
    response = server(request)
    if request.played in ("truncate", "cut"):
        response.pieces = instead_of_the_failure(response.pieces, lambda: [FINAL])
    return response


@on.streams("stream@2", "STREAM-33", shows="cut")
def breaks_off_without_a_word(frames: Iterator[bytes]) -> Iterator[bytes]:
    """The transfer breaks off without an error event."""
    for frame in frames:
        if "error" not in (fields_of(frame) or ()):
            yield frame


def instead_of_the_failure(
    pieces: Iterable[bytes], others: Callable[[], Iterable[bytes]]
) -> Iterator[bytes]:
    """The stream up to a failure, and then the others."""
    try:
        yield from breaks_off_without_a_word(frames(pieces))
    except BrokenPipeError:
        yield from others()


on.error_events("stream@2", "STREAM-33").sets(
    error_event_has_no_code=("code", GONE),
    error_event_has_no_message=("message", GONE),
    error_event_hides_whether_to_retry=("retryable", GONE),
    error_event_says_1_and_not_true=("retryable", 1),
)


@on.events("stream@2", "STREAM-33", shows="cut")
def error_event_has_no_token(fields: Json) -> None:
    """The error event has no `token`."""
    if "error" in fields:
        del fields["token"]


on.error_events("stream@2", "STREAM-36 HTTP-36", shows="error-frame").sets(
    error_event_shows_the_key=("message", "The upstream refused conf-key.")
)


@on.events("stream@2", "STREAM-31 STREAM-33 STREAM-35", shows="cut")
def error_event_is_done(fields: Json) -> None:
    """The error event has `done: true`."""
    if "error" in fields:
        fields["done"] = True


@on.streams("stream@2", "STREAM-35", shows="cut")
def breaks_off_late(frames: Iterator[bytes]) -> Iterator[bytes]:
    """After a failure in mid-stream the transfer stays open for seconds."""
    try:
        yield from frames
    except BrokenPipeError:
        time.sleep(3.2)
        raise


@on.replies("stream@2", "STREAM-01 STREAM-22", shows="empty")
def an_empty_answer_is_accepted(request: Request, response: Response) -> None:
    """A stream without any text has the status 202."""
    pieces = iter(response.pieces)
    begin = next(pieces, b"")
    response.pieces = chain([begin], pieces)
    first = begin.split(b"\n\n")[0].replace(b" ", b"")
    if response.is_stream and b'"done":true' in first:
        response.status = 202


@on.responses(
    "stream@2", "STREAM-30 FAULT-07 FAULT-09 FAULT-13..15 HTTP-25", shows="http-500"
)
def failure_has_events(response: Response) -> None:
    """A failure comes as an event, with the status of the failure."""
    if response.status >= 500:
        response.send_bytes(frame_of({**response.fields, "token": "", "done": True}))


@on.final_events("stream@2", "INFER-12 FALLBACK-14")
def latency_ends_at_the_first_token(fields: Json) -> None:
    """`latency_ms` is half of the time, as if it ended at the first token."""
    fields["latency_ms"] /= 2


@on.replies("stream@2", "STREAM-17", shows=None)
def the_transfer_ends_with_the_upstreams(request: Request, response: Response) -> None:
    """After the final event the transfer stays open as long as that of the upstream."""

    def lingering() -> Iterator[bytes]:
        time.sleep(2.5)
        yield b""

    if request.played == "lingers":
        response.pieces = chain(response.pieces, lingering())


@on.streams("stream@2", "STREAM-24", shows=None)
def one_comment_is_sent(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Only one comment is sent while the model reasons, so that nobody notices a client that leaves after it."""
    is_sent = False
    for frame in frames:
        if not is_sent or not frame.startswith(b":"):
            yield frame
        is_sent = is_sent or frame.startswith(b":")


_newest: dict[bytes, Request] = {}


@on.layer("stream@2", "FALLBACK-08", shows=None)
def events_name_the_newest_provider(request: Request, server: Server) -> Response:
    """`provider` in an event is that of the stream of the same check that began last."""
    check = check_of(request)
    _newest[check] = request
    response = server(request)
    response.pieces = (
        piece if _newest[check] is request else piece.replace(b'"ol', b'"no ol')
        for piece in response.pieces
    )
    return response


Tokens = Iterator[str]


@on.tokens("stream@2", "STREAM-20 STREAM-23 STREAM-34[ollama]")
def tokens_wait_for_the_next(tokens: Tokens) -> Tokens:
    """A token waits for the next one."""
    held = ""
    for token in tokens:
        yield held
        held = token
    yield held


@on.tokens("stream@2", "STREAM-26", shows=None)
def streams_have_one_timeout(tokens: Tokens) -> Tokens:
    """A stream as a whole has to end within the timeout."""
    began = before = time.monotonic()
    for token in tokens:
        now = time.monotonic()
        if now > began + 1.0 and now > before + 0.25:
            raise Failure("gateway_timeout", "The stream took too long.")
        before = now
        yield token


@on.tokens("stream@2", "STREAM-26", shows=None)
def streams_have_twelve_seconds(tokens: Tokens) -> Tokens:
    """A stream breaks off after twelve seconds."""
    end = time.monotonic() + 12
    for token in tokens:
        if time.monotonic() > end:
            raise Failure("gateway_timeout", "The stream took too long.")
        yield token


@on.tokens("stream@2", "STREAM-24", shows=None)
def the_model_goes_on(tokens: Tokens) -> Tokens:
    """The model goes on after the client has left."""
    try:
        yield from iter(tokens.__next__, None)
    finally:
        for _ in tokens:
            pass


@on.waits("infer@2", "FAULT-11 FAULT-12")
def answers_may_drip() -> float:
    """Each piece of an answer has the whole timeout."""
    return 1.0


@on.waits("infer@2", "FAULT-11 FAULT-12 FALLBACK-04[ollama]")
def a_beginning_has_no_timeout() -> float:
    """After the beginning of a response there is no timeout."""
    return 20.0


@on.waits("stream@2", "FAULT-12 STREAM-35")
def signs_of_life_are_tokens() -> float:
    """The whole timeout begins again after comments, blank lines and empty tokens too."""
    return 1.0


@on.pieces("infer@2", "FALLBACK-01[ollama] FALLBACK-04[openai]", shows=None)
def an_upstream_has_half_the_timeout(received: Iterator[bytes]) -> Iterator[bytes]:
    """A response has to begin within half of the timeout."""
    end = time.monotonic() + 0.5
    for piece in received:
        if time.monotonic() > end:
            raise Failure("gateway_timeout", "The answer took too long.")
        end = float("inf")
        yield piece


@on.tokens("stream@2", "STREAM-26", shows=None)
def reasoning_has_one_timeout(tokens: Tokens) -> Tokens:
    """Reasoning as a whole has to end within the timeout."""
    end = time.monotonic() + 1.0
    for token in tokens:
        if not token and time.monotonic() > end:
            raise Failure("gateway_timeout", "The reasoning took too long.")
        yield token


@on.waits("stream@2", "STREAM-33 STREAM-34[ollama] STREAM-35 FAULT-12[openai]")
def silence_has_no_timeout() -> float:
    """After the first token there is no timeout."""
    return 20.0
