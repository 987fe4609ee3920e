"""Streams that come late, mixed or wrong, and failures that look like answers."""

import itertools
import json
import time
import unicodedata
from collections.abc import Iterable, Iterator

from octomil_conformance.server.frames import fields_of, frame_of
from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import events, everywhere, fault, layer, streams

fault("buffers_stream", "The events are kept back until the answer is complete.", "stream@2", "STREAM-20", "STREAM-23", "STREAM-24", "STREAM-32", "STREAM-33", "STREAM-34", "STREAM-35", shows="drip")  # fmt: skip
fault("ignores_disconnect", "The model goes on although the client has left.", "stream@2", "STREAM-24", shows=None)  # fmt: skip
fault("thoughts_are_tokens", "Reasoning is passed on as tokens.", "stream@2", "STREAM-25", shows="thinking")  # fmt: skip
fault("status_before_first_token", "200 is sent before any token is in hand.", "stream@2", "STREAM-30", "REQ-19", "REQ-20", "FALLBACK-07", *(f"FAULT-{number:02}" for number in range(1, 11)), shows="http-500")  # fmt: skip
fault("cut_looks_done", "A failure in mid-stream is followed by done: true.", "stream@2", "STREAM-31", "STREAM-32", "STREAM-33", "STREAM-35", shows="cut")  # fmt: skip
fault("cut_ends_cleanly", "After a failure in mid-stream the transfer ends as if complete.", "stream@2", "STREAM-32", "STREAM-35", shows="cut")  # fmt: skip
fault("truncated_is_complete", "An answer that stops short counts as complete.", "stream@2", "STREAM-30", "STREAM-31", "STREAM-32", "STREAM-33", "FALLBACK-09", "FAULT-04", "FAULT-06", "FAULT-07", "FAULT-08", "FAULT-09", shows="truncate")  # fmt: skip
fault("fallback_after_first_token", "A failure in mid-stream starts the next backend.", "stream@2", "STREAM-34", shows="ollama-cut-openai-ok")  # fmt: skip


@streams("stream@2", "STREAM-20", "STREAM-23", "STREAM-33")
def tokens_in_pairs(frames: Iterable[bytes]) -> Iterator[bytes]:
    """A token waits for the next one."""
    held = b""
    for frame in frames:
        if held:
            yield held + frame
        held = b"" if held else frame
    yield held


_begun: dict[str, bytes] = {}


@layer("stream@2", "STREAM-23")
def answers_are_kept_by_beginning(request: Request, server: Ask) -> Answer:
    """Who begins like an earlier prompt gets that one's answer."""
    fields = request.fields
    messages = fields.get("messages")
    if messages:
        beginning = json.dumps(messages).split(".")[0]
        key = fields.get("model_id"), beginning
        request.body = _begun.setdefault(str(key), request.body)
    return server(request)


@events("stream@2", "STREAM-21", "STREAM-23", "STREAM-25", "STREAM-34")
def spaces_are_lost(fields: Json) -> None:
    """White space around a token is dropped."""
    fields["token"] = fields["token"].strip()


@events("stream@2", "STREAM-21", shows="unicode")
def tokens_are_normalized(fields: Json) -> None:
    """The model's text is put into another Unicode form."""
    fields["token"] = unicodedata.normalize("NFC", fields["token"])


@streams("stream@2", "STREAM-22", shows="empty")
def empty_answer_is_filled(frames: Iterable[bytes]) -> Iterator[bytes]:
    """Instead of an empty answer there is a word about it."""
    told = False
    for frame in frames:
        fields = fields_of(frame) or {"done": False}
        if fields["done"] and not told:
            yield frame_of({"token": "(empty)", "done": False, "provider": "ollama"})
        told = True
        yield frame


@streams("stream@2", "STREAM-33", shows="cut")
def breaks_off_without_a_word(frames: Iterable[bytes]) -> Iterator[bytes]:
    """No event tells why the transfer breaks off."""
    for frame in frames:
        if "error" not in (fields_of(frame) or ()):
            yield frame


@events("stream@2", "STREAM-33", shows="cut")
def error_event_has_no_code(fields: Json) -> None:
    """The error event has no code."""
    fields.get("error", {}).pop("code", None)


@events("stream@2", "STREAM-33", shows="cut")
def error_event_has_no_message(fields: Json) -> None:
    """The error event has no message."""
    fields.get("error", {}).pop("message", None)


@events("stream@2", "STREAM-33", shows="cut")
def error_event_hides_whether_to_retry(fields: Json) -> None:
    """The error event has no `retryable`."""
    fields.get("error", {}).pop("retryable", None)


@events("stream@2", "STREAM-31", "STREAM-33", "STREAM-35", shows="cut")
def error_event_is_done(fields: Json) -> None:
    """The error event says that the answer is complete."""
    if "error" in fields:
        fields["done"] = True


@streams("stream@2", "STREAM-35", shows="cut")
def breaks_off_late(frames: Iterable[bytes]) -> Iterator[bytes]:
    """After a failure in mid-stream the transfer stays open for a while."""
    try:
        yield from frames
    except BrokenPipeError:
        time.sleep(3.2)
        raise


@layer("stream@2", "STREAM-01", "STREAM-22", shows="empty")
def an_empty_answer_is_accepted(request: Request, server: Ask) -> Answer:
    """An answer without any text is a 202."""
    answer = server(request)
    pieces = iter(answer.pieces)
    begin = next(pieces, b"")
    answer.pieces = itertools.chain([begin], pieces)
    first = begin.split(b"\n\n")[0].replace(b" ", b"")
    if answer.is_stream and b'"done":true' in first:
        answer.status = 202
    return answer


@everywhere(
    "stream@2", "STREAM-30", "FAULT-07", "FAULT-09", "HTTP-25", shows="http-500"
)
def failure_has_events(answer: Answer) -> None:
    """A failure comes as an event, under its own status."""
    if answer.status >= 500:
        frame = frame_of({**answer.fields, "token": "", "done": True})
        answer.send_bytes(frame)


@layer("stream@2", "STREAM-34", shows=None)
def asks_the_other_in_vain(request: Request, server: Ask) -> Answer:
    """After a failure in mid-stream the next backend is asked, and its answer thrown away."""
    answer = server(request)
    if request.fields.get("model_id") == "conf-ollama-cut-openai-ok":
        again = {**request.fields, "model_id": "conf-ollama-500-openai-ok"}
        other = server(request.send(again))
        b"".join(other.pieces)
        other.close()
    return answer
