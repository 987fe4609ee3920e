"""Which backend answers: the promised order, what falls back, what cools down, and what is told when nobody answers."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from builders import Clock, asking, embedding

from octomil_ref.backends import Completion, Embeddings, Ending, Token
from octomil_ref.errors import (
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    NotReached,
    Overloaded,
    RateLimited,
    RequestRefused,
    TimedOut,
)
from octomil_ref.fallback import Fallback, InflightLimit

FALL_BACK = [NotReached, TimedOut, Busy, RateLimited, Broken, ModelNotFound, KeyRefused]
FINAL = [ContextTooLong, ModalityRefused, RequestRefused]
COOL_DOWN = [NotReached, TimedOut]
END = Ending("stop", None)


@dataclass
class Stream:
    """Pieces, and a failure in the end if there is one."""

    pieces: list
    failure: Exception | None = None
    closed: bool = False

    def __iter__(self):
        yield from self.pieces
        if self.failure:
            raise self.failure

    def close(self):
        self.closed = True


@dataclass
class Scripted:
    """A backend that fails with each of `failures`, one a call, and answers once there are no more; None is an answer."""

    provider: str
    failures: list = field(default_factory=list)
    calls: int = 0

    def complete(self, request):
        self._next()
        return Completion("Cherry", self.provider, END)

    def embed(self, request):
        self._next()
        return Embeddings([[1.0]], self.provider, 1)

    def stream(self, request):
        self._next()
        return Stream([[Token("Cherry")], [END]])

    def _next(self):
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure


def both(ollama=(), openai=(), cooldown=5.0):
    """The two backends with their failures, and their fallback."""
    first, second = (
        Scripted("ollama", list(ollama)),
        Scripted("openai", list(openai)),
    )
    return first, second, Fallback([first, second], cooldown)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("octomil_ref.clock.time", clock)
    return clock


OPERATIONS = [
    pytest.param(lambda fallback: fallback.complete(asking()), id="a completion"),
    pytest.param(lambda fallback: fallback.stream(asking()), id="a stream"),
    pytest.param(lambda fallback: fallback.embed(embedding("a")), id="embeddings"),
]
each_operation = pytest.mark.parametrize("ask", OPERATIONS)


@each_operation
def test_the_first_backend_answers_and_the_second_is_not_asked(ask):
    _, second, fallback = both()

    answer = ask(fallback)

    assert answer.provider == "ollama"
    assert second.calls == 0


@each_operation
@pytest.mark.parametrize("kind", FALL_BACK)
def test_the_second_backend_answers_after(kind, ask):
    _, _, fallback = both(ollama=[kind("no")])

    answer = ask(fallback)

    assert answer.provider == "openai"


@each_operation
@pytest.mark.parametrize("kind", FINAL)
def test_the_second_backend_is_not_asked_after(kind, ask):
    _, second, fallback = both(ollama=[kind("no")])

    with pytest.raises(kind):
        ask(fallback)

    assert second.calls == 0


@pytest.mark.parametrize("kind", FINAL)
def test_a_fault_of_the_request_that_the_second_backend_finds_is_told(kind):
    _, _, fallback = both(ollama=[Broken("no")], openai=[kind("no")])

    with pytest.raises(kind):
        fallback.complete(asking())


def test_a_bug_is_no_reason_to_ask_another_backend():
    _, second, fallback = both(ollama=[ZeroDivisionError()])

    with pytest.raises(ZeroDivisionError):
        fallback.complete(asking())

    assert second.calls == 0


# Cooldown


@each_operation
@pytest.mark.parametrize("kind", COOL_DOWN)
def test_a_backend_cools_down_after(kind, ask, clock):
    first, _, fallback = both(ollama=[kind("no")])
    ask(fallback)

    answer = ask(fallback)

    assert answer.provider == "openai"
    assert first.calls == 1


@pytest.mark.parametrize("kind", [k for k in FALL_BACK if k not in COOL_DOWN])
def test_a_backend_is_asked_again_at_once_after(kind, clock):
    _, _, fallback = both(ollama=[kind("no")])
    fallback.complete(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "ollama"


@pytest.mark.parametrize(
    "seconds, provider",
    [
        pytest.param(4.9, "openai", id="it is passed over for the cooldown"),
        pytest.param(5.0, "ollama", id="then it is the first again"),
    ],
)
def test_a_cooldown_lasts_as_long_as_is_set(seconds, provider, clock):
    _, _, fallback = both(ollama=[NotReached("no")], cooldown=5)
    fallback.complete(asking())
    clock.advance(seconds)

    answer = fallback.complete(asking())

    assert answer.provider == provider


def test_a_cooldown_of_0_is_none(clock):
    _, _, fallback = both(ollama=[NotReached("no")], cooldown=0)
    fallback.complete(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "ollama"


def test_a_backend_that_cools_down_is_tried_where_the_others_fail(clock):
    _, _, fallback = both(ollama=[NotReached("no")], openai=[None, Broken("no")])
    fallback.complete(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "ollama"


def test_an_answer_ends_the_cooldown(clock):
    _, _, fallback = both(ollama=[NotReached("no")], openai=[None, Broken("no")])
    fallback.complete(asking())
    fallback.complete(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "ollama"


def test_where_all_cool_down_all_are_tried_in_the_promised_order(clock):
    first, second, fallback = both([NotReached("no")], [NotReached("no")])
    with pytest.raises(NotReached):
        fallback.complete(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "ollama"
    assert (first.calls, second.calls) == (2, 1)


def test_the_last_backend_cools_down_too(clock):
    _, _, fallback = both(ollama=[Broken("no")], openai=[TimedOut("no")])
    with pytest.raises(TimedOut):
        fallback.complete(asking())
    fallback._backends[0].failures.append(Broken("no"))

    answer = fallback.complete(asking())

    assert answer.provider == "openai"  # late rather than not at all


# Nobody answers


@pytest.mark.parametrize(
    "ollama, openai, told",
    [
        pytest.param(Busy, Broken, Broken, id="the last failure"),
        pytest.param(Broken, Busy, Busy, id="the last failure, the other way round"),
        pytest.param(ModelNotFound, ModelNotFound, ModelNotFound, id="404 by all"),
        pytest.param(
            ModelNotFound, Busy, Busy, id="what is no 404, though 404 came first"
        ),
        pytest.param(
            NotReached,
            ModelNotFound,
            NotReached,
            id="what is no 404, though 404 came last",
        ),
    ],
)
def test_what_is_told_when_both_fail_is(ollama, openai, told):
    _, _, fallback = both([ollama("no")], [openai("no")])

    with pytest.raises(told):
        fallback.complete(asking())


def test_without_a_backend_the_service_is_unavailable():
    fallback = Fallback([], 5)

    with pytest.raises(NotReached) as failure:
        fallback.complete(asking())

    assert failure.value.headers == {"Retry-After": "1"}


# Streams


def streaming(*streams):
    """The fallback of backends that stream this."""
    backends = [Scripted("ollama"), Scripted("openai")]
    for backend, stream in zip(backends, streams, strict=False):
        backend.stream = lambda request, stream=stream: stream
    return Fallback(backends[: len(streams)], 5)


def test_a_stream_gives_all_its_pieces_in_order():
    fallback = streaming(Stream([[Token("a"), Token("b")], [Token("c")], [END]]))

    pieces = list(fallback.stream(asking()))

    assert pieces == [[Token("a"), Token("b")], [Token("c")], [END]]


def test_the_first_piece_is_in_hand_before_anything_is_promised():
    asked = []

    class Watched(Stream):
        def __iter__(self):
            asked.append("first piece")
            yield [END]

    fallback = streaming(Watched([]))

    fallback.stream(asking())

    assert asked == ["first piece"]


def test_a_stream_that_fails_before_its_first_piece_is_closed_and_falls_back():
    failing = Stream([], Broken("no"))
    fallback = streaming(failing, Stream([[END]]))

    stream = fallback.stream(asking())

    assert stream.provider == "openai"
    assert failing.closed


def test_a_stream_that_times_out_before_its_first_piece_cools_its_backend_down(clock):
    fallback = streaming(Stream([], TimedOut("no")), Stream([[END]]))
    fallback.stream(asking())

    answer = fallback.complete(asking())

    assert answer.provider == "openai"


def test_a_stream_that_fails_after_its_first_piece_does_not_fall_back():
    second = Stream([[END]])
    fallback = streaming(Stream([[Token("a")]], Broken("no")), second)
    pieces = iter(fallback.stream(asking()))

    assert next(pieces) == [Token("a")]
    with pytest.raises(Broken):
        next(pieces)


def test_a_stream_that_meets_a_bug_is_closed():
    failing = Stream([], ZeroDivisionError())
    fallback = streaming(failing)

    with pytest.raises(ZeroDivisionError):
        fallback.stream(asking())

    assert failing.closed


def test_closing_a_stream_closes_the_upstreams():
    upstreams = Stream([[Token("a")], [END]])
    stream = streaming(upstreams).stream(asking())

    stream.close()

    assert upstreams.closed


# How many requests may wait for a model at once.


def test_one_more_than_the_bound_is_told_to_come_again():
    limit = InflightLimit(2)

    with (
        limit.slot(),
        limit.slot(),
        pytest.raises(Overloaded) as caught,
        limit.slot(),
    ):
        pass

    assert caught.value.headers == {"Retry-After": "1"}


def test_a_place_is_free_again_when_its_request_has_ended():
    limit = InflightLimit(1)

    for _ in range(3):
        with limit.slot():
            pass


def test_a_place_is_free_again_when_its_request_has_failed():
    limit = InflightLimit(1)

    with pytest.raises(ZeroDivisionError), limit.slot():
        raise ZeroDivisionError

    with limit.slot():
        pass


def test_a_request_that_was_turned_away_frees_no_place():
    limit = InflightLimit(1)

    with limit.slot():
        for _ in range(2):
            with pytest.raises(Overloaded), limit.slot():
                pass


def test_without_a_bound_all_are_let_in():
    limit = InflightLimit(None)

    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(limit.slot())
