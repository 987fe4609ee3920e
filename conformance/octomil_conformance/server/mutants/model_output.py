"""Bugs in the text, counts, finish reason and events that the server takes from one upstream's answer. Each function is a mutant for each dialect."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from octomil_conformance.server import subjects as on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.faults import REASONS
from octomil_conformance.server.layers import Json
from octomil_conformance.server.mutants.reading import Received, reads
from octomil_conformance.server.subjects import table

Tokens = Iterator[str]
THE_FALLBACK_ANSWERS = [f"FALLBACK-{n:02}[openai]" for n in (2, 3, 4, 5, 6, 9, 10)]


@on.hears("infer@2", "INFER-08", "INFER-13", "INFER-14", *THE_FALLBACK_ANSWERS)
def output_is_lost(tokens: Tokens) -> Tokens:
    """The text of the answer is lost."""
    for _ in tokens:
        yield ""


@on.hears("infer@2", "INFER-08", shows="rough")
def outputs_are_trimmed(tokens: Tokens) -> Tokens:
    """White space around the answer is removed."""
    yield "".join(tokens).strip()


def replaced(pattern: str, instead: str = "") -> Callable[[str], str]:
    return lambda token: re.sub(pattern, instead, token)


table(
    on.token("infer@2 stream@2", "INFER-08", "STREAM-21", shows="rough"),
    replaced,
    carriage_returns_are_lost=("CR LF in the answer becomes LF.", "\r\n", "\n"),
    nuls_are_lost=("A NUL in the answer is removed.", "\x00"),
    markup_is_removed=(
        "Reasoning in tags is removed from the text.",
        "<think>x</think>",
    ),
    secrets_are_masked=("What looks like a key is masked.", r"sk-\w{8,}", "***"),
    special_tokens_are_removed=(
        "Tokens with which a model ends its turn are removed from the text.",
        r"<\|im_end\|>|</s>",
    ),
)


@on.hears("stream@2", "STREAM-21", shows="after-thought")
def line_feeds_after_reasoning_are_lost(tokens: Tokens) -> Tokens:
    """Line feeds between the reasoning and the text are removed."""
    is_thought = False
    for token in tokens:
        token = token.lstrip("\n") if is_thought else token
        is_thought = not token
        yield token


@on.reasons("infer@2 stream@2", "INFER-10", "STREAM-28", shows="length-reason")
def unknown_reasons_are_stop(word: object) -> object:
    """A reason that the server does not know counts as stop."""
    return word if word in REASONS else "stop"


@on.hears("stream@2", "STREAM-21", shows="lone-halves")
def half_a_character_is_lost(tokens: Tokens) -> Tokens:
    """Half a character at the end of a stream is lost."""
    for token in tokens:
        if token != "\ufffd":
            yield token


@on.reasons("infer@2 stream@2", "INFER-06", "INFER-10", "STREAM-18", "STREAM-28", shows="other-reason")  # fmt: skip
def reasons_are_passed_on(word: object) -> object:
    """The upstream's reason for the end of an answer is passed on, whatever it is."""
    return word


@on.hears("infer@2", "INFER-08", shows="huge")
def outputs_end_at_64_kb(tokens: Tokens) -> Tokens:
    """Only 64 kB of an answer are kept."""
    yield "".join(tokens).encode()[:65536].decode(errors="ignore")


@on.hears("stream@2", "STREAM-21", shows="huge")
def streams_end_after_500_tokens(tokens: Tokens) -> Tokens:
    """A stream has at most 500 tokens."""
    yield from islice(tokens, 500)
    for _ in tokens:
        pass


@on.token("stream@2", "STREAM-21", "STREAM-23", "STREAM-25", "STREAM-26", "STREAM-34[ollama]", *THE_FALLBACK_ANSWERS)  # fmt: skip
def first_spaces_are_lost(token: str) -> str:
    """The space at the beginning of a token is removed."""
    return token.removeprefix(" ")


@on.hears("stream@2", "STREAM-21", shows="rough")
def repetitions_are_lost(tokens: Tokens) -> Tokens:
    """A token that repeats the one before is removed."""
    before = ""
    for token in tokens:
        if token != before or not token:
            yield token
        before = token


@on.hears("stream@2", "STREAM-31", "STREAM-32", "STREAM-33", "STREAM-35", shows="cut")
def half_an_answer_is_whole(tokens: Tokens) -> Tokens:
    """An answer that breaks off after its first token counts as complete."""
    for token in tokens:
        yield token
        if token:
            break
    with suppress(Failure):
        yield from tokens


@on.hears("batch@2", "BATCH-31", shows="rough")
def outputs_of_batches_are_trimmed(tokens: Iterator[str]) -> Iterator[str]:
    """White space around an output is removed."""
    yield "".join(tokens).strip()


@on.ends("infer@2", "INFER-11")
def usage_is_zero(ending: Json) -> None:
    """`usage` is always zero."""
    if "usage" in ending:
        ending["usage"] = dict.fromkeys(ending["usage"], 0)


@on.ends("infer@2 stream@2", "INFER-11")
def usage_is_swapped(ending: Json) -> None:
    """The numbers of tokens in `usage` are swapped."""
    if "usage" in ending:
        usage = ending["usage"]
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        usage |= {"prompt_tokens": 2 * completion, "completion_tokens": prompt}
        usage["total_tokens"] = prompt + 2 * completion


@on.ends("infer@2 stream@2", "INFER-10", "STREAM-28", shows=None)
def every_answer_stops(ending: Json) -> None:
    """`finish_reason` is always stop."""
    ending["finish_reason"] = "stop"


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


reads("infer@2 stream@2 embed@2", "INFER-11", "EMBED-24", shows="negative-counts", counts_lose_their_sign=("A number of tokens below 0 is read without its sign.", COUNT + rb"-", rb'"\1":'))  # fmt: skip


# Events of the fallback


reads("stream@2", "STREAM-21", only="openai", shows="spread", an_event_has_one_line=("Each line of an event counts as an event.", rb"\n(?=data: [^{\[])", b"\n\n"))  # fmt: skip
reads("stream@2", "STREAM-21", only="openai", shows="repeated", a_message_is_an_increment=("The message beside the end is read as more text.", rb'"delta":\{\}(.*)"message":', rb'"x":0\1"delta":'))  # fmt: skip
reads("stream@2", "STREAM-21", "STREAM-31", "STREAM-32", only="openai", shows="null-word", the_word_null_is_a_reason=("A `finish_reason` that is the text `null` ends the answer.", rb'"finish_reason":"null"', b'"finish_reason":"stop"'))  # fmt: skip


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
