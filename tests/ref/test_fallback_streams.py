"""Streams and the fallback: it ends with the first token, or after a second of thoughts."""

import pytest
from builders import asking, new_record
from scripted_backends import END, Stream, streaming

from octomil_ref.backends import Reasoning, Token
from octomil_ref.errors import Broken, TimedOut


def test_a_stream_gives_all_its_pieces_in_order_and_closes_the_upstreams():
    upstreams = Stream([[Token("a"), Token("b")], [Token("c")], [END]])
    stream = streaming(upstreams).stream(asking(), new_record())

    pieces = list(stream)
    stream.close()

    assert pieces == upstreams.pieces
    assert upstreams.closed


def test_a_stream_that_fails_before_its_first_piece_is_closed_and_falls_back():
    failing = Stream([], Broken("no"))
    fallback = streaming(failing, Stream([[END]]))

    stream = fallback.stream(asking(), new_record())

    assert stream.provider == "openai"
    assert failing.closed


def test_a_backend_cools_down_after_a_stream_that_timed_out_before_its_first_piece(
    clock,
):
    fallback = streaming(Stream([], TimedOut("no")), Stream([[END]]))
    fallback.stream(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "openai"


def test_a_stream_that_fails_by_a_bug_is_closed():
    failing = Stream([], ZeroDivisionError())
    fallback = streaming(failing)

    with pytest.raises(ZeroDivisionError):
        fallback.stream(asking(), new_record())

    assert failing.closed


THOUGHT = [Reasoning()]


def thinking_for(clock, seconds, failure):
    """A stream that fails after it has thought for so many seconds."""

    class Thinking(Stream):
        def __iter__(self):
            yield THOUGHT
            clock.advance(seconds)
            yield THOUGHT
            raise failure

    return Thinking([])


def test_a_stream_that_fails_while_it_begins_to_think_falls_back(clock):
    thinking = thinking_for(clock, 0.9, Broken("no"))
    fallback = streaming(thinking, Stream([[END]]))

    stream = fallback.stream(asking(), new_record())

    assert stream.provider == "openai"
    assert thinking.closed


def test_a_stream_that_has_thought_for_a_second_does_not_fall_back(clock):
    fallback = streaming(thinking_for(clock, 1, Broken("no")), Stream([[END]]))
    pieces = iter(fallback.stream(asking(), new_record()))

    assert next(pieces) == THOUGHT
    with pytest.raises(Broken):
        next(pieces)


def test_thoughts_before_a_token_are_not_kept():
    fallback = streaming(Stream([THOUGHT, THOUGHT, [*THOUGHT, Token("a")], [END]]))

    pieces = list(fallback.stream(asking(), new_record()))

    assert pieces == [[*THOUGHT, Token("a")], [END]]
