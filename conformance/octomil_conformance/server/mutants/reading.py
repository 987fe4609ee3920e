"""Bugs in how the answers of one upstream are read: errors with a good status, what is no answer, what is large, and the forms of a good one."""

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress

from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Json

Received = Iterator[bytes]
TOO_FEW = 1_500_000
"""Bytes: fewer than a server has to read."""
EMPTY = (
    b'{"message":{"content":""},"done":true,'
    b'"choices":[{"message":{},"finish_reason":"stop"}]}'
)
"""An empty answer in both dialects; behind `data: ` an empty stream."""


# Errors


@on.each_piece("stream@2", "STREAM-30 STREAM-31 STREAM-32", shows="error-before-end")
def errors_in_streams_are_passed_over(piece: bytes) -> bytes:
    """A line or an event that has only an error is passed over."""
    return re.sub(rb'(?m)^(data: )?\{"error":.*\n', b"", piece)


@on.each_piece(
    "infer@2 stream@2 embed@2",
    "INFER-16 STREAM-31 STREAM-32 EMBED-27",
    shows="error-beside-end",
)
def errors_beside_an_answer_are_passed_over(piece: bytes) -> bytes:
    """An error beside an answer, or beside its end, is passed over."""
    return re.sub(rb',"error":("[^"]*"|\{[^}]*\})(?=\})', b"", piece)


@on.each_piece("stream@2", "STREAM-31 STREAM-32", shows="error-of-other-type")
def errors_have_one_type(piece: bytes) -> bytes:
    """An error counts only if it is text (Ollama) or an object (the fallback)."""
    return re.sub(rb'(?m)^(data: \{"error":"|\{"error":\{).*\n', b"", piece)


@on.each_piece("infer@2 embed@2", "INFER-16 EMBED-27", shows="object-beside")
def an_object_error_beside_an_answer_is_passed_over(piece: bytes) -> bytes:
    """`"object": "error"` beside a text or vectors is passed over."""
    return piece.replace(b'"object":"error"', b'"object":"list"')


@on.each_piece("stream@2", "STREAM-31 STREAM-32", only="openai", shows="error-odd")
def errors_have_one_name(piece: bytes) -> bytes:
    """An object that says of itself that it is an error is passed over."""
    return re.sub(rb'(?m)^data: \{"object":"error".*\n', b"", piece)


@on.each_piece("stream@2", "STREAM-31 STREAM-32", only="openai", shows="error-bare")
def only_events_are_read(piece: bytes) -> bytes:
    """An error that is in no event is passed over."""
    return re.sub(rb'(?m)^\{"error":.*\n', b"", piece)


@on.each_piece("infer@2 stream@2 embed@2", "INFER-08 STREAM-21 EMBED-23", shows="nulls")
def a_null_error_is_one(piece: bytes) -> bytes:
    """An error that is null counts as an error."""
    return piece.replace(b'"error":null', b'"error":"null"')


@on.statuses("infer@2 stream@2 embed@2", "INFER-08 STREAM-21 EMBED-23")
def only_a_200_is_an_answer() -> tuple[int, ...]:
    """A response with status 201 is a failure."""
    return (200,)


@on.each_piece("infer@2 embed@2", "INFER-08 EMBED-23", shows="plain-type")
def json_has_one_line(piece: bytes) -> bytes:
    """Only the first line of a whole answer is read."""
    return piece.partition(b"\n")[0] if piece.startswith(b"{\n") else piece


@on.each_piece("infer@2 embed@2", "INFER-16 EMBED-27", shows="error-before-end")
def what_follows_an_answer_is_not_read(piece: bytes) -> bytes:
    """Only the first value of a whole answer is read."""
    return piece.partition(b'\n{"error"')[0]


@on.each_piece("infer@2", "INFER-08", shows=None)
def plain_text_is_latin_1(piece: bytes) -> bytes:
    """A whole answer on several lines is read in the charset that its Content-Type names."""
    return piece.decode("latin-1").encode() if piece.startswith(b"{\n") else piece


# What is no answer


@on.pieces("infer@2", "INFER-16", shows="answer-missing")
def no_answer_is_an_empty_one(received: Received) -> Received:
    """JSON without a text is an empty answer."""
    body = b"".join(received)
    with suppress(ValueError):
        json.loads(body)
        body = body if b'"content":"' in body else EMPTY
    yield body


@on.pieces("infer@2", "INFER-16", shows="no-body")
def no_body_is_an_empty_answer(received: Received) -> Received:
    """A response without a body is an empty answer."""
    yield b"".join(received) or EMPTY


@on.pieces("stream@2", "STREAM-30", shows="no-body")
def no_body_is_an_empty_stream(received: Received) -> Received:
    """A stream without a body is an empty answer."""
    first = next(received, b"")
    yield first or b"data: " + EMPTY
    yield from received


@on.each_piece(
    "infer@2 stream@2",
    "INFER-16 STREAM-31 STREAM-32",
    only="openai",
    shows="error-reason",
)
def every_reason_is_an_end(piece: bytes) -> bytes:
    """An answer that ends with the reason `error` is complete."""
    return piece.replace(b'"finish_reason":"error"', b'"finish_reason":"stop"')


@on.pieces("stream@2", "STREAM-30..32", only="openai", shows="truncate-at-mark")
def a_mark_completes_an_answer(received: Received) -> Received:
    """`[DONE]` completes an answer, whether it has a reason or not."""
    end = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}'
    for piece in received:
        yield re.sub(rb"(?m)^data: \[DONE\]", end, piece)


@on.each_piece("stream@2", "STREAM-31 STREAM-32", shows="garbage-between")
def lines_that_are_no_json_are_passed_over(piece: bytes) -> bytes:
    """A line that is not JSON is passed over."""
    return re.sub(rb"(?m)^(data: \{)?<html>.*\n", b"", piece)


@on.redirects("infer@2 embed@2", "FALLBACK-05", only="ollama")
def redirects_are_followed() -> bool:
    """A redirect of an upstream is followed."""
    return True


@on.each_piece("stream@2", "STREAM-30", only="openai", shows="answer-missing")
def a_mark_is_an_end(piece: bytes) -> bytes:
    """A stream is an empty answer if it ends with `[DONE]` and has no choice."""
    empty = rb'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    return re.sub(rb'\Adata: \{"id":[^\[\n]*\}\n\n', empty, piece)


# What is large or cut


@on.pieces("infer@2 stream@2 embed@2", "INFER-08 STREAM-21 EMBED-23", shows="giant")
def answers_have_too_few_bytes(received: Received) -> Received:
    """An answer of more than 1.5 MB is a failure."""
    length = 0
    for piece in received:
        length += len(piece)
        if length > TOO_FEW:
            raise Failure("bad_gateway", "The answer is too large.")
        yield piece


@on.pieces("stream@2", "STREAM-21", shows="giant")
def lines_have_too_few_bytes(received: Received) -> Received:
    """A line of more than 1.5 MB is a failure."""
    length = 0
    for piece in received:
        first, *others = map(len, piece.split(b"\n"))
        if max(length + first, *others, 0) > TOO_FEW:
            raise Failure("bad_gateway", "A line is too long.")
        length = others[-1] if others else length + first
        yield piece


@on.each_piece("stream@2", "STREAM-21", shows="halves")
def halves_of_characters_are_replaced(piece: bytes) -> bytes:
    """Half a character at the beginning or the end of a token is replaced."""
    half = rb'(?<=content":")\\ud[c-f]..|\\ud[89ab]..(?=")'
    return re.sub(half, rb"\\ufffd", piece)


@on.each_piece("infer@2 stream@2", "INFER-08 STREAM-21", shows="unicode")
def pieces_are_decoded_alone(piece: bytes) -> bytes:
    """UTF-8 is decoded piece by piece, so that a character in two pieces is lost."""
    return piece.decode(errors="replace").encode()


@on.each_piece(
    "infer@2 stream@2", "INFER-08 INFER-09 STREAM-21 STREAM-22", shows="call-alone"
)
def a_call_is_nonsense(piece: bytes) -> bytes:
    """An answer with a tool call is a failure."""
    return re.sub(rb'"tool_calls":\[\{', b'"content":[{', piece)


# Forms of a good answer


@on.each_piece(
    "stream@2", "STREAM-21 STREAM-31 STREAM-32", only="openai", shows="no-reason"
)
def an_absent_reason_is_one(piece: bytes) -> bytes:
    """A chunk without `finish_reason` ends the answer."""
    found = rb'(?<="content":")([^"]*"\})\}'
    return re.sub(found, rb'\1,"finish_reason":"stop"}', piece)


@on.each_piece(
    "stream@2", "STREAM-21 STREAM-31 STREAM-32", only="openai", shows="blank-reason"
)
def a_blank_reason_is_one(piece: bytes) -> bytes:
    """An empty `finish_reason` ends the answer."""
    return piece.replace(b'"finish_reason":""', b'"finish_reason":"stop"')


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="nulls")
def a_null_usage_is_nonsense(piece: bytes) -> bytes:
    """A usage that is null is a failure."""
    return piece.replace(b'"usage":null', b'"error":"usage"')


@on.each_piece("stream@2", "STREAM-21", shows="bare-end")
def an_end_needs_a_place_for_text(piece: bytes) -> bytes:
    """The end of an answer without a message, or a part of one, is a failure."""
    bare = rb'(?<="index":0),(?="finish_reason":"[^"])|(?<=Z"),(?="done_reason":"[^"])'
    return re.sub(bare, b',"delta":7,"message":7,', piece)


@on.each_piece("stream@2", "STREAM-21", shows="null-end")
def a_null_message_is_nonsense(piece: bytes) -> bytes:
    """A message, or a part of one, that is null is a failure."""
    return re.sub(rb'"(message|delta)":null', b'"message":7,"delta":7', piece)


@on.each_piece("stream@2", "STREAM-21", shows="beside-thoughts")
def reasoning_hides_text(piece: bytes) -> bytes:
    """A chunk with reasoning has no text."""
    beside = rb'"content":"[^"]*"(?=,"(thinking|reasoning_content)":"[^"])'
    return re.sub(beside, b'"content":""', piece)


@on.each_piece("infer@2", "INFER-13", shows="thinking-only")
def reasoning_fills_an_empty_answer(piece: bytes) -> bytes:
    """The reasoning is the text of an answer that has none."""
    empty = rb'"content":(""|null),(?=[^{}]*"(thinking|reasoning_content)":)'
    bare = re.sub(empty, b"", piece)
    return re.sub(rb'"(thinking|reasoning_content)":(?!null)', b'"content":', bare)


@on.pieces("infer@2 stream@2", "INFER-11", only="openai", shows="totals")
def the_first_usage_stays(received: Received) -> Received:
    """The first of several usages in one stream counts."""
    usage, first = rb'"usage":\{[^}]*\}', b""
    for piece in received:
        found = re.search(usage, piece)
        first = first or (found[0] if found else b"")
        yield re.sub(usage, first, piece)


@on.endings("infer@2 stream@2", "INFER-11", only="openai")
def the_upstreams_total_stays(ending: Json) -> None:
    """The total is the upstream's, with tokens that are in neither of its parts."""
    if "usage" in ending:
        ending["usage"]["total_tokens"] += 5


@on.pieces("infer@2 stream@2", "INFER-11")
def chunks_are_counted(received: Received) -> Received:
    """The number of tokens is the number of chunks with text."""
    chunks = 0
    for piece in received:
        chunks += len(re.findall(rb'"content":"[^"]', piece))
        counted = rb'("eval_count"|"completion_tokens"):\d+'
        yield re.sub(counted, rb"\1:%d" % chunks, piece)


@on.pieces("stream@2", "STREAM-21", shows="no-last-line-feed")
def a_line_needs_a_line_feed(received: Received) -> Received:
    """A last line without a line feed is lost."""
    rest = b""
    for piece in received:
        *lines, rest = (rest + piece).split(b"\n")
        yield b"".join(line + b"\n" for line in lines)


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="fields")
def one_field_precedes_data(piece: bytes) -> bytes:
    """Two fields in a row before the data of an event are nonsense."""
    two = rb"(?m)^(event|id|retry):.*\n(?=(event|id|retry):)"
    return re.sub(two, b"data: {\n", piece)


@on.pieces("stream@2", "STREAM-21", only="openai", shows="no-mark")
def a_mark_is_needed(received: Received) -> Received:
    """An answer is complete only if `[DONE]` follows."""
    held = b""
    for piece in received:
        held = held + piece if held or b'"finish_reason":"' in piece else b""
        yield b"" if held else piece
        if b"[DONE]" in held:
            yield held


@on.each_piece("stream@2", "STREAM-21", shows="varied")
def text_beside_the_end_is_lost(piece: bytes) -> bytes:
    """Text is not looked for where an answer ends."""
    ends = rb'"content":"[^"]*"(?=[^\n]*("done":true|"finish_reason":"))'
    return re.sub(ends, b'"content":""', piece)


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="varied")
def text_beside_the_role_is_lost(piece: bytes) -> bytes:
    """Text is not looked for in the chunk that has the role."""
    return re.sub(rb'"role":"assistant","content":"[^"]*"', b'"role":""', piece)


@on.each_piece("infer@2 stream@2", "STREAM-26", only="openai", shows=None)
def reasoning_has_one_name(piece: bytes) -> bytes:
    """`reasoning` is not known as reasoning."""
    return piece.replace(b'"reasoning":', b'"unknown":')


@on.each_piece("infer@2", "INFER-09", only="openai", shows="empty")
def null_is_text(piece: bytes) -> bytes:
    """A null content becomes the text `None`."""
    return piece.replace(b'"content":null', b'"content":"None"')


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="varied")
def data_needs_a_space(piece: bytes) -> bytes:
    """Only lines with a space after `data:` are read."""
    return piece.replace(b"data:{", b": {")


@on.pieces("stream@2", "STREAM-21", shows=None)
def an_answer_ends_with_its_connection(received: Received) -> Received:
    """What ends an answer is read when the upstream ends its response."""
    held, until = b"", math.inf
    for piece in received:
        if b'"done":true' in piece or b'"finish_reason":"s' in piece:
            held, until = piece, time.monotonic() + 0.5
        else:
            yield piece
    if time.monotonic() > until:
        raise Failure("gateway_timeout", "The response does not end.")
    yield held


_half: list[bytes] = []
_counts: list[bytes] = []


@on.pieces("stream@2", "STREAM-23", shows=None)
def halves_wait_in_one_place(received: Received) -> Received:
    """Half of a character waits for its other half in a place that all streams share."""
    for piece in received:
        if _half and b'"content":"' in piece:
            piece = piece.replace(b'"content":"', b'"content":"' + _half.pop())
        if ends := re.search(rb'\\ud83c(?=")', piece):
            _half[:] = [ends[0]]
            piece = piece.replace(ends[0] + b'"', b'"')
        yield piece


@on.pieces("stream@2", "INFER-11", only="openai", shows=None)
def counts_wait_in_one_place(received: Received) -> Received:
    """The counts beside the tokens wait for the end of the stream in a place that all streams share."""
    for piece in received:
        counts = re.findall(rb',"usage":\{[^}]*\}', piece)
        _counts[:] = counts or _counts
        end = b'"finish_reason":"stop"}]'
        if _counts and not counts:
            piece = piece.replace(end, end + _counts[-1])
        yield piece


@on.codings("infer@2 stream@2 embed@2", "INFER-08 STREAM-21 EMBED-23")
def compressed_answers_are_not_read() -> str:
    """The server accepts gzip, but does not read compressed answers."""
    return "gzip"


@on.each_piece("stream@2", "STREAM-35 FAULT-12", only="openai", shows=None)
def counts_are_tokens(piece: bytes) -> bytes:
    """The whole timeout begins again after a chunk that has only counts too."""
    thought = b'"delta":{"reasoning":"."},"finish_reason":null}],"usage"'
    return piece.replace(b'"delta":{},"finish_reason":null}],"usage"', thought)
