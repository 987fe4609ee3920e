"""Bugs in the text, counts, finish reason and events that the server takes from one upstream's answer. Each function is a mutant for each dialect."""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.faults import REASONS
from octomil_conformance.server.layers import Json
from octomil_conformance.server.mutants.reading import Received

Tokens = Iterator[str]
THE_FALLBACK_ANSWERS = "FALLBACK-02..06[openai] FALLBACK-09..10[openai]"


@on.tokens("infer@2", f"INFER-08 INFER-13 INFER-14 {THE_FALLBACK_ANSWERS}")
def output_is_lost(tokens: Tokens) -> Tokens:
    """The text of the answer is lost."""
    for _ in tokens:
        yield ""


@on.tokens("infer@2", "INFER-08", shows="rough")
def outputs_are_trimmed(tokens: Tokens) -> Tokens:
    """White space around the answer is removed."""
    yield "".join(tokens).strip()


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def carriage_returns_are_lost(token: str) -> str:
    """CR LF in the answer becomes LF."""
    return token.replace("\r\n", "\n")


@on.each_token(
    "infer@2 stream@2 batch@2", "INFER-08 STREAM-21 BATCH-31", shows="marked"
)
def first_marks_are_removed(token: str) -> str:
    """A byte order mark at the beginning of an answer or of a token is removed."""
    return token.removeprefix("\ufeff")


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def tag_characters_are_lost(token: str) -> str:
    """Tag characters, which are parts of some flags, are removed."""
    return re.sub("[\U000e0000-\U000e007f]", "", token)


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def a_token_of_zero_is_lost(token: str) -> str:
    """The text 0 is lost, because it is false in PHP and Perl."""
    return "" if token == "0" else token


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def nuls_are_lost(token: str) -> str:
    """A NUL in the answer is removed."""
    return token.replace("\x00", "")


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def markup_is_removed(token: str) -> str:
    """Reasoning in tags is removed from the text."""
    return token.replace("<think>x</think>", "")


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def secrets_are_masked(token: str) -> str:
    """What looks like a key is masked."""
    return re.sub(r"sk-\w{8,}", "***", token)


@on.each_token("infer@2 stream@2", "INFER-08 STREAM-21", shows="rough")
def special_tokens_are_removed(token: str) -> str:
    """Tokens with which a model ends its turn are removed from the text."""
    return re.sub(r"<\|im_end\|>|</s>", "", token)


@on.tokens("stream@2", "STREAM-21", shows="after-thought")
def line_feeds_after_reasoning_are_lost(tokens: Tokens) -> Tokens:
    """Line feeds between the reasoning and the text are removed."""
    is_thought = False
    for token in tokens:
        token = token.lstrip("\n") if is_thought else token
        is_thought = not token
        yield token


@on.reasons("infer@2 stream@2", "INFER-10 STREAM-28", shows="length-reason")
def unknown_reasons_are_stop(word: object) -> object:
    """A reason that the server does not know counts as stop."""
    return word if word in REASONS else "stop"


@on.tokens("stream@2", "STREAM-21", shows="lone-halves")
def half_a_character_is_lost(tokens: Tokens) -> Tokens:
    """Half a character at the end of a stream is lost."""
    for token in tokens:
        if token != "\ufffd":
            yield token


@on.each_token(
    "infer@2 stream@2 batch@2", "INFER-08 STREAM-21 BATCH-31", shows="lone-halves"
)
def halves_of_characters_are_removed(token: str) -> str:
    """Half a character that stays alone is removed."""
    return token.replace("\ufffd", "")


@on.reasons(
    "infer@2 stream@2", "INFER-06 INFER-10 STREAM-18 STREAM-28", shows="other-reason"
)
def reasons_are_passed_on(word: object) -> object:
    """The upstream's reason for the end of an answer is passed on, whatever it is."""
    return word


@on.tokens("infer@2", "INFER-08", shows="huge")
def outputs_end_at_64_kb(tokens: Tokens) -> Tokens:
    """Only the first 64 kB of an answer are used."""
    yield "".join(tokens).encode()[:65536].decode(errors="ignore")


@on.tokens("stream@2", "STREAM-21", shows="huge")
def streams_end_after_500_tokens(tokens: Tokens) -> Tokens:
    """A stream has at most 500 tokens."""
    yield from islice(tokens, 500)
    for _ in tokens:
        pass


@on.each_token(
    "stream@2",
    f"STREAM-21 STREAM-23 STREAM-25 STREAM-26 STREAM-34[ollama] {THE_FALLBACK_ANSWERS}",
)
def first_spaces_are_lost(token: str) -> str:
    """The space at the beginning of a token is removed."""
    return token.removeprefix(" ")


@on.tokens("stream@2", "STREAM-21", shows="rough")
def repetitions_are_lost(tokens: Tokens) -> Tokens:
    """A token that repeats the one before is removed."""
    before = ""
    for token in tokens:
        if token != before or not token:
            yield token
        before = token


@on.tokens("stream@2", "STREAM-31 STREAM-32 STREAM-33 STREAM-35", shows="cut")
def half_an_answer_is_whole(tokens: Tokens) -> Tokens:
    """An answer that breaks off after its first token counts as complete."""
    for token in tokens:
        yield token
        if token:
            break
    with suppress(Failure):
        yield from tokens


@on.tokens("batch@2", "BATCH-31", shows="rough")
def outputs_of_batches_are_trimmed(tokens: Tokens) -> Tokens:
    """White space around an output is removed."""
    yield "".join(tokens).strip()


@on.endings("infer@2", "INFER-11")
def usage_is_zero(ending: Json) -> None:
    """`usage` is always zero."""
    if "usage" in ending:
        ending["usage"] = dict.fromkeys(ending["usage"], 0)


@on.endings("infer@2 stream@2", "INFER-11")
def usage_is_swapped(ending: Json) -> None:
    """The numbers of tokens in `usage` are swapped."""
    if "usage" in ending:
        usage = ending["usage"]
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        usage |= {"prompt_tokens": 2 * completion, "completion_tokens": prompt}
        usage["total_tokens"] = prompt + 2 * completion


@on.endings("infer@2", "INFER-07 INFER-11", shows="half-counted")
def a_missing_count_makes_the_sum_null(ending: Json) -> None:
    """`total_tokens` is null if the upstream leaves out one of its counts."""
    usage = ending.get("usage", {})
    if usage.get("prompt_tokens") == 0:
        usage["total_tokens"] = None


@on.graces("stream@2", "INFER-12", only="openai")
def counts_have_the_whole_timeout() -> float:
    """After an answer, the server waits for its counts for the whole timeout."""
    return 1.0


@on.endings("infer@2 stream@2", "INFER-10 STREAM-28", shows=None)
def every_answer_stops(ending: Json) -> None:
    """`finish_reason` is always stop."""
    ending["finish_reason"] = "stop"


# Counts

COUNT = rb'"((prompt|completion|total)_tokens|(prompt_)?eval_count)":'
"""Before a number of tokens."""


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


@on.pieces(
    "infer@2 stream@2 embed@2", "INFER-08 STREAM-21 EMBED-24", shows="negative-counts"
)
def a_negative_count_is_nonsense(received: Received) -> Received:
    """A number of tokens below 0 is a failure."""
    return refusing(b"-", received)


@on.pieces(
    "infer@2 stream@2 embed@2",
    "INFER-08 STREAM-21 EMBED-23 EMBED-24",
    shows="odd-counts",
)
def a_fraction_of_tokens_is_nonsense(received: Received) -> Received:
    """A number of tokens that is a fraction is a failure."""
    return refusing(rb"\d+\.5", received)


@on.pieces("infer@2 stream@2", "INFER-08 STREAM-21", shows="float-counts")
def a_point_in_a_count_is_nonsense(received: Received) -> Received:
    """A number of tokens with a decimal point is a failure."""
    return refusing(rb"\d+\.0", received)


@on.each_piece("infer@2 stream@2 embed@2", "INFER-11 EMBED-24", shows="negative-counts")
def counts_lose_their_sign(piece: bytes) -> bytes:
    """A number of tokens below 0 is read without its sign."""
    return re.sub(COUNT + rb"-", rb'"\1":', piece)


# Events of the fallback


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="spread")
def an_event_has_one_line(piece: bytes) -> bytes:
    """Each line of an event counts as an event."""
    return re.sub(rb"\n(?=data: [^{\[])", b"\n\n", piece)


@on.each_piece("stream@2", "STREAM-21", only="openai", shows="repeated")
def a_message_is_an_increment(piece: bytes) -> bytes:
    """The message at the end is read as more text."""
    return piece.replace(b'"message":{', b'"delta":{')


@on.each_piece(
    "stream@2", "STREAM-21 STREAM-31 STREAM-32", only="openai", shows="null-word"
)
def the_word_null_is_a_reason(piece: bytes) -> bytes:
    """A `finish_reason` that is the text `null` ends the answer."""
    return piece.replace(b'"finish_reason":"null"', b'"finish_reason":"stop"')


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
