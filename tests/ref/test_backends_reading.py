"""Reading what upstreams send: whole answers, single values, and streams with their deadlines."""

from contextlib import suppress
from itertools import islice

import pytest
import responses
from builders import arriving

from octomil_ref.backends import Ending, Token, reading
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.reading import StreamedAnswer
from octomil_ref.clock import Deadline
from octomil_ref.errors import Broken, Busy, RateLimited, RequestRefused, TimedOut

URL = "http://upstream.test/"


def whole_answer(status: int, body: object) -> object:
    responses.get(URL, status=status, body=body)
    response = Upstream("openai", URL, {}, 20).get("/", 20)
    with reading.whole_answer(response) as fields:
        return fields


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="not JSON"),
        pytest.param(b'{"a": ', id="JSON that breaks off"),
        pytest.param(b"[" * 100_000, id="100,000 nested arrays"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="a number of 5,000 digits"),
    ],
)
def test_a_body_is_malformed(body):
    with pytest.raises(Broken, match="something that is not an answer"):
        whole_answer(200, body)


@pytest.mark.parametrize("status", [201, 206])
def test_a_status_that_means_success_may_have_an_answer(status):
    assert whole_answer(status, b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("status", [304, 500])
def test_another_status_has_no_answer(status):
    with pytest.raises(Broken):
        whole_answer(status, b'{"a": 1}')


def test_an_error_about_an_option_with_status_200_refuses_the_request():
    with pytest.raises(RequestRefused, match="seed"):
        whole_answer(200, b'{"error": "option \\"seed\\" must be a number"}')


@pytest.mark.parametrize("status, failure", [(200, Broken), (429, RateLimited)])
def test_an_answer_that_breaks_off_is_closed_and_its_status_decides(status, failure):
    body = arriving(b"{", ConnectionResetError())

    with pytest.raises(failure):
        whole_answer(status, body)

    assert body.closed


def test_an_error_without_end_is_read_only_in_part_and_its_status_decides(monkeypatch):
    monkeypatch.setattr(reading, "MAX_ERROR", 3)
    body = arriving(b"ab", b"cd", lambda: pytest.fail("read on"))

    with pytest.raises(RateLimited):
        whole_answer(429, body)

    assert body.closed


# OpenAI has sent -35, Hugging Face an array, Bedrock a fraction.
@pytest.mark.parametrize(
    "value, count",
    [
        *((7, 7), (0, 0), (7.0, 7)),
        *((each, None) for each in (None, -35, 1.5, True, "7", [7], 10**16)),
    ],
    ids=repr,
)
def test_a_count_is(value, count):
    assert repr(reading.count(value)) == repr(count)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([[1.0]], id="too few"),
        pytest.param([[1.0]] * 3, id="too many"),
        pytest.param([[1.0], [1.0, 2.0]], id="of two dimensions"),
        pytest.param([[], []], id="of no dimension"),
        pytest.param([[1.0], [None]], id="with a null"),
        pytest.param([[1.0], ["1"]], id="with text"),
        pytest.param([[1.0], [True]], id="with a boolean"),
        pytest.param([[1.0], [float("nan")]], id="with NaN"),
        pytest.param([[1.0], [10**400]], id="with a number beyond all floats"),
        pytest.param([[1.0], [float("inf")]], id="with Infinity"),
        pytest.param([[1.0], "1"], id="with text for a vector"),
        pytest.param([{"0": 1.0}, {"0": 1.0}], id="with objects for vectors"),
        pytest.param([1.0, 2.0], id="with numbers for vectors"),
        pytest.param("ab", id="as text"),
        pytest.param({"a": [1.0], "b": [1.0]}, id="as an object"),
        pytest.param(None, id="as null"),
    ],
)
def test_vectors_are_malformed(value):
    with pytest.raises(reading.MALFORMED):
        reading.vectors(value, 2)


END = Ending("stop", None)


class Words:
    """A dialect for tests: a word is a token, `.` ends, `!` fails, `#` is empty."""

    complete_without_ending = False

    def is_complete(self):
        return self.complete_without_ending

    def read(self, line):
        match line:
            case b"!":
                raise Busy("busy")
            case b"#":
                return []
            case b".":
                return [END]
        return [Token(line.decode())]

    def end(self, failure):
        if self.complete_without_ending:
            return [Token("z"), END]
        raise failure


class Generous(Words):
    complete_without_ending = True


def streamed(*pieces, reader=None, timeout=10):
    responses.get(URL, body=(body := arriving(*pieces)))
    answer = Upstream("openai", URL, {}, timeout).get("/", timeout)
    return StreamedAnswer(answer, reader or Words(), timeout), body


A, B, C, Z = map(Token, "abcz")
STREAMS = {
    "pieces that arrived together": ([b"a\nb\n", b"c\n", b".\n"], [[A, B], [C], [END]]),
    "lines without pieces": ([b"#\n", b"a\n", b"#\n#\n", b".\n"], [[A], [END]]),
    "more after its ending": ([b"a\n.\nb\n", b"c\n"], [[A, END]]),
}
FAILING = {
    "no ending": ([b"a\n"], Broken),
    "a connection that breaks": ([b"a\n", ConnectionResetError()], Broken),
    "a failure and more after it": ([b"a\n!\nb\n"], Busy),
}


@pytest.mark.parametrize("sent, pieces", STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_with(sent, pieces):
    stream, _ = streamed(*sent)

    assert list(stream) == pieces


@pytest.mark.parametrize("sent", [[b"a\n"], [b"a\n", ConnectionResetError()]])
def test_a_reader_may_know_that_the_answer_is_complete_with(sent):
    stream, _ = streamed(*sent, reader=Generous())

    assert list(stream) == [[A], [Z, END]]


@pytest.mark.parametrize("sent, failure", FAILING.values(), ids=FAILING)
def test_the_pieces_of_a_stream_come_before_its_failure_with(sent, failure):
    stream, _ = streamed(*sent)
    pieces = iter(stream)

    assert next(pieces) == [A]
    with pytest.raises(failure):
        next(pieces)


class Timed:
    """Stands for an UpstreamResponse: gives lines until its deadline, and calls the functions among them."""

    provider = "openai"

    def __init__(self, *lines):
        self.deadline = Deadline(10)
        self._lines = iter(lines)

    def next_lines(self):
        line = next(self._lines, None)
        if callable(line):
            line()
            return self.next_lines()
        if self.deadline.remaining() <= 0:
            raise TimedOut("too late")
        return [] if line is None else [line]

    def broken(self, what):
        return Broken(what)

    def redacted(self, failure):
        return failure


def timed(*lines, reader=None):
    return StreamedAnswer(Timed(*lines), reader or Words(), 10)


def test_each_piece_has_the_whole_timeout(clock):
    wait = [lambda: clock.advance(9)]
    stream = timed(*wait, b"a", *wait, b"b", *wait, b".")

    pieces = list(stream)

    assert pieces == [[Token("a")], [Token("b")], [END]]


def test_a_slow_client_does_not_use_up_the_upstreams_time(clock):
    pieces = iter(timed(b"a", b"b", b"."))
    next(pieces)
    clock.advance(99)

    assert next(pieces) == [Token("b")]


def test_what_follows_a_complete_answer_has_half_the_timeout(clock):
    wait = [lambda: clock.advance(3)]
    stream = timed(b"a", *wait, b"#", *wait, b"b", reader=Generous())

    assert list(stream) == [[A], [Z, END]]


@pytest.mark.parametrize("before", [[], [b"a"]], ids=["at first", "after a piece"])
def test_lines_without_pieces_do_not_renew_the_deadline(clock, before):
    drip = [b"#", lambda: clock.advance(4)]
    pieces = iter(timed(*before, *drip, *drip, *drip, b"#", b"b"))
    assert [next(pieces) for _ in before] == [[A] for _ in before]

    with pytest.raises(TimedOut):
        next(pieces)


def test_closing_after_the_ending_drains_the_body():
    left = []
    stream, _ = streamed(b".\n", b"rest\n", lambda: left.append("all read"))
    list(stream)

    stream.close()

    assert left == ["all read"]


@pytest.mark.parametrize("first, read", [(b"a\n", 0), (b"a\n", 1), (b"!\n", 1)])
def test_closing_before_the_ending_closes_the_connection(first, read):
    stream, body = streamed(first, lambda: pytest.fail("read on"), b".\n")
    with suppress(Busy):
        list(islice(stream, read))

    stream.close()

    assert body.closed
