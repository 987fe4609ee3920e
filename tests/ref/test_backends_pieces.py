"""A streamed answer: what arrived together stays together, one ending and nothing behind it, a deadline between pieces."""

import pytest
import responses
from builders import Clock, arriving

from octomil_ref.answers import Ending, Token
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.pieces import PieceStream
from octomil_ref.clock import Deadline
from octomil_ref.errors import Broken, Busy, TimedOut

URL = "http://upstream.test/"
END = Ending("stop", None)


class Words:
    """A dialect of its own: a word is a token, `.` ends, `!` fails, `#` says nothing, `~` finishes without ending."""

    complete_without_ending = False
    finished = False

    def read(self, line):
        match line:
            case b"!":
                raise Busy("busy")
            case b"#":
                return []
            case b"~":
                self.finished = True
                return []
            case b".":
                return [END]
        return [Token(line.decode())]

    def end(self, failure):
        if self.complete_without_ending:
            return END
        raise failure


class Generous(Words):
    complete_without_ending = True


def streamed(*pieces, reader=None, timeout=10):
    responses.get(URL, body=(body := arriving(*pieces)))
    answer = Upstream("openai", URL, {}, timeout).get("", timeout)
    return PieceStream(answer, reader or Words(), timeout), body


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("octomil_ref.clock.time", clock)
    return clock


@responses.activate
def test_pieces_that_arrive_together_come_together():
    stream, _ = streamed(b"a\nb\n", b"c\n", b".\n")

    pieces = list(stream)

    assert pieces == [[Token("a"), Token("b")], [Token("c")], [END]]


@responses.activate
def test_lines_without_pieces_are_passed_over():
    stream, _ = streamed(b"#\n", b"a\n", b"#\n#\n", b".\n")

    pieces = list(stream)

    assert pieces == [[Token("a")], [END]]


@responses.activate
def test_nothing_follows_the_ending():
    stream, _ = streamed(b"a\n.\nb\n", b"c\n")

    pieces = list(stream)

    assert pieces == [[Token("a"), END]]


@responses.activate
def test_a_body_that_ends_without_an_ending_was_cut_off():
    stream, _ = streamed(b"a\n")
    pieces = iter(stream)

    assert next(pieces) == [Token("a")]
    with pytest.raises(Broken, match="cut its answer off"):
        next(pieces)


@responses.activate
def test_a_reader_may_know_that_the_answer_was_complete():
    stream, _ = streamed(b"a\n", reader=Generous())

    pieces = list(stream)

    assert pieces == [[Token("a")], [END]]


@responses.activate
def test_an_answer_known_to_be_complete_may_be_cut_off():
    stream, _ = streamed(b"a\n", ConnectionResetError(), reader=Generous())

    pieces = list(stream)

    assert pieces == [[Token("a")], [END]]


@responses.activate
def test_pieces_before_a_failure_come_first():
    stream, _ = streamed(b"a\n!\nb\n")
    pieces = iter(stream)

    assert next(pieces) == [Token("a")]
    with pytest.raises(Busy):
        next(pieces)


@responses.activate
def test_a_connection_that_breaks_is_a_failure():
    stream, _ = streamed(b"a\n", ConnectionResetError())
    pieces = iter(stream)
    next(pieces)

    with pytest.raises(Broken):
        next(pieces)


class Timed:
    """An answer whose lines keep to its deadline; between them, functions are called."""

    provider = "openai"

    def __init__(self, *lines):
        self.deadline = Deadline(10)
        self._lines = lines

    def lines(self):
        for line in self._lines:
            if callable(line):
                line()
            elif self.deadline.remaining() <= 0:
                raise TimedOut("too late")
            else:
                yield [line]

    def cut_off(self):
        return Broken("cut off")


def timed(*lines, reader=None):
    return PieceStream(Timed(*lines), reader or Words(), 10)


def test_each_piece_has_the_whole_timeout(clock):
    wait = [lambda: clock.advance(9)]
    stream = timed(*wait, b"a", *wait, b"b", *wait, b".")

    pieces = list(stream)

    assert pieces == [[Token("a")], [Token("b")], [END]]


def test_the_time_that_a_client_takes_is_not_the_upstreams(clock):
    pieces = iter(timed(b"a", b"b", b"."))
    next(pieces)
    clock.advance(99)

    assert next(pieces) == [Token("b")]


def test_lines_without_pieces_do_not_buy_time(clock):
    drip = [b"#", lambda: clock.advance(4)]
    pieces = iter(timed(b"a", *drip, *drip, *drip, b"#", b"b"))
    next(pieces)

    with pytest.raises(TimedOut):
        next(pieces)


def test_the_first_piece_has_no_more_than_the_timeout(clock):
    drip = [b"#", lambda: clock.advance(4)]
    stream = timed(*drip, *drip, *drip, b"#", b"a")

    with pytest.raises(TimedOut):
        next(iter(stream))


def test_a_finished_answer_does_not_wait_long_for_its_usage(clock):
    stream = timed(b"a", b"~", lambda: clock.advance(2), b"#", reader=Generous())

    pieces = list(stream)

    assert pieces == [[Token("a")], [END]]


@responses.activate
def test_closing_after_the_ending_reads_what_is_left():
    left = []
    stream, _ = streamed(b".\n", b"rest\n", lambda: left.append("all read"))
    list(stream)

    stream.close()

    assert left == ["all read"]


@responses.activate
def test_closing_before_the_ending_reads_no_more_and_hangs_up():
    left = []
    stream, body = streamed(b"a\n", lambda: left.append("read on"), b".\n")
    next(iter(stream))

    stream.close()

    assert left == []
    assert body.closed


@responses.activate
def test_closing_a_stream_that_was_never_read_hangs_up():
    stream, body = streamed(b"a\n", b".\n")

    stream.close()

    assert body.closed


@responses.activate
def test_closing_after_a_failure_hangs_up():
    stream, body = streamed(b"!\n", b".\n")
    with pytest.raises(Busy):
        next(iter(stream))

    stream.close()

    assert body.closed
