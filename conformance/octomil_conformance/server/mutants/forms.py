"""Bugs in how counts of one upstream, and unusual events of the fallback, are read."""

import re

from octomil_conformance.server import subjects as on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.mutants.reading import Received, without

COUNT = (
    rb'"(prompt_tokens|completion_tokens|total_tokens|prompt_eval_count|eval_count)":'
)
"""Before a number of tokens."""


# Counts


def refusing(pattern: bytes, received: Received) -> Received:
    """Fails if a number of tokens looks like this. The end of an answer is held back until its counts have come."""
    held = b""
    for piece in received:
        if re.search(COUNT + pattern, piece):
            raise Failure("bad_gateway", "A count is not sound.")
        ends = re.search(rb'"finish_reason":"[^"]|"done":true', piece)
        held = held + piece if held or ends else b""
        yield b"" if held else piece
    yield held


@on.pieces("infer@2 stream@2 embed@2", "INFER-08", "STREAM-21", "EMBED-24", shows="negative-counts")  # fmt: skip
def a_negative_count_is_nonsense(received: Received) -> Received:
    """A number of tokens below 0 is a failure."""
    return refusing(b"-", received)


@on.pieces("infer@2 stream@2 embed@2", "INFER-08", "STREAM-21", "EMBED-23", "EMBED-24", shows="odd-counts")  # fmt: skip
def a_fraction_of_tokens_is_nonsense(received: Received) -> Received:
    """A number of tokens that is a fraction is a failure."""
    return refusing(rb"\d+\.5", received)


@on.pieces("infer@2 stream@2", "INFER-08", "STREAM-21", shows="float-counts")
def a_point_in_a_count_is_nonsense(received: Received) -> Received:
    """A number of tokens with a decimal point is a failure."""
    return refusing(rb"\d+\.0", received)


@on.pieces("infer@2 stream@2 embed@2", "INFER-11", "EMBED-24", shows="negative-counts")
def counts_lose_their_sign(received: Received) -> Received:
    """A number of tokens below 0 is read without its sign."""
    return without(COUNT + rb"-", received, rb'"\1":')


# Events of the fallback


@on.pieces("stream@2", "STREAM-21", only="openai", shows="spread")
def an_event_has_one_line(received: Received) -> Received:
    """Each line of an event counts as an event."""
    return without(rb"\n(?=data: [^{\[])", received, b"\n\n")


@on.pieces("stream@2", "STREAM-21", only="openai", shows="repeated")
def a_message_is_an_increment(received: Received) -> Received:
    """The message beside the end is read as more text."""
    return without(rb'"delta":\{\}(.*)"message":', received, rb'"x":0\1"delta":')


@on.pieces("stream@2", "STREAM-21", "STREAM-31", "STREAM-32", only="openai", shows="null-word")  # fmt: skip
def the_word_null_is_a_reason(received: Received) -> Received:
    """A `finish_reason` that is the text `null` ends the answer."""
    return without(rb'"finish_reason":"null"', received, b'"finish_reason":"stop"')


@on.pieces("stream@2", "STREAM-21", only="openai", shows="no-mark-uncounted")
def an_end_needs_a_mark_or_counts(received: Received) -> Received:
    """An answer is complete only if its counts or `[DONE]` follow."""
    held = b""
    for piece in received:
        held = held + piece if held or b'"finish_reason":"' in piece else b""
        yield b"" if held else piece
        if b"[DONE]" in held or b'"usage":{' in held:
            yield held
            held = b""
