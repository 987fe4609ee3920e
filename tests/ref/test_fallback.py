"""Which backend answers: the promised order, fallback, cooldown, the error if none answers, and the limit on requests."""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from builders import asking, embedding, new_record

from octomil_ref.backends import Completion, Embeddings, Ending, Reasoning, Token
from octomil_ref.errors import (
    RANKED,
    BatchTooLarge,
    Broken,
    Busy,
    ClientLeft,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    NoSuchPath,
    NotReached,
    Overloaded,
    RateLimited,
    RequestRefused,
    TimedOut,
)
from octomil_ref.fallback import Fallback, InflightLimit, error_to_report
from octomil_ref.payloads import CompletionRequest, Message
from octomil_ref.records import Attempt

FALL_BACK = [
    *(NotReached, TimedOut, Busy, RateLimited, Broken, NoSuchPath),
    *(ModelNotFound, KeyRefused),
]
FINAL = [BatchTooLarge, ContextTooLong, ModalityRefused, RequestRefused]
COOL_DOWN = [NotReached, TimedOut]
END = Ending("stop", None)


@dataclass
class Stream:
    """Gives `pieces`, then raises `failure`."""

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
    """A backend whose calls fail with `failures`, one after the other; None stands for an answer, as does the end of the list."""

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


def both(ollama=(), openai=(), cooldown=5.0, observe=lambda attempt: None):
    """Two backends with their failures, and their fallback."""
    first, second = (
        Scripted("ollama", list(ollama)),
        Scripted("openai", list(openai)),
    )
    return first, second, Fallback([first, second], cooldown, observe)


OPERATIONS = [
    pytest.param(
        lambda f, record=None: f.complete(asking(), record or new_record()),
        id="a completion",
    ),
    pytest.param(
        lambda f, record=None: f.stream(asking(), record or new_record()), id="a stream"
    ),
    pytest.param(
        lambda f, record=None: f.embed(embedding("a"), record or new_record()),
        id="embeddings",
    ),
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
def test_for_a_client_that_left_no_other_backend_is_asked_and_none_cools_down(ask):
    seen = []
    first, second, fallback = both(ollama=[ClientLeft()], observe=seen.append)

    with pytest.raises(ClientLeft):
        ask(fallback)
    ask(fallback)

    assert (first.calls, second.calls) == (2, 0)
    assert [attempt.client_left for attempt in seen] == [True, False]


@each_operation
@pytest.mark.parametrize("kind", FINAL)
def test_the_second_backend_is_not_asked_after(kind, ask):
    _, second, fallback = both(ollama=[kind("no")])

    with pytest.raises(kind):
        ask(fallback)

    assert second.calls == 0


def test_a_bug_does_not_fall_back():
    _, second, fallback = both(ollama=[ZeroDivisionError()])

    with pytest.raises(ZeroDivisionError):
        fallback.complete(asking(), new_record())

    assert second.calls == 0


# What is recorded


def outcome(attempt: Attempt) -> tuple[str, str, bool]:
    failure = type(attempt.failure).__name__ if attempt.failure else "ok"
    return attempt.provider, failure, attempt.interrupted


@each_operation
def test_each_attempt_is_observed_with_its_outcome(ask):
    outcomes = []
    _, _, fallback = both([Busy("no")], observe=lambda a: outcomes.append(outcome(a)))

    ask(fallback, new_record())

    assert outcomes == [("ollama", "Busy", False), ("openai", "ok", False)]


def test_an_attempt_that_ends_the_request_is_observed_too():
    attempts = []
    _, _, fallback = both([RequestRefused("no")], observe=attempts.append)

    with pytest.raises(RequestRefused):
        fallback.complete(asking(), new_record())

    assert [outcome(each) for each in attempts] == [("ollama", "RequestRefused", False)]


def test_a_stream_that_breaks_off_is_observed_again():
    outcomes = []
    fallback = streaming(
        Stream([[Token("a")]], Broken("no")),
        observe=lambda attempt: outcomes.append(outcome(attempt)),
    )

    with pytest.raises(Broken):
        list(fallback.stream(asking(), new_record()))

    assert outcomes == [("ollama", "ok", False), ("ollama", "Broken", True)]


@pytest.mark.parametrize(
    ("failures", "provider", "fell_back"),
    [([], "ollama", None), ([Busy("no")], "openai", True)],
)
@each_operation
def test_the_record_says_which_backend_answered(ask, failures, provider, fell_back):
    _, _, fallback = both(failures)
    record = new_record()

    ask(fallback, record)

    assert (record.provider, record.fallback) == (provider, fell_back)


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
    fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "ollama"


@pytest.mark.parametrize(
    "seconds, provider",
    [
        pytest.param(4.9, "openai", id="last during the cooldown"),
        pytest.param(5.0, "ollama", id="first after it"),
    ],
)
def test_a_backend_is_asked(seconds, provider, clock):
    _, _, fallback = both(ollama=[NotReached("no")], cooldown=5)
    fallback.complete(asking(), new_record())
    clock.advance(seconds)

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == provider


def test_a_cooldown_of_0_switches_it_off(clock):
    _, _, fallback = both(ollama=[NotReached("no")], cooldown=0)
    fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "ollama"


def test_a_backend_that_cools_down_is_asked_if_the_others_fail(clock):
    _, _, fallback = both(ollama=[NotReached("no")], openai=[None, Broken("no")])
    fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "ollama"


def test_an_answer_ends_the_cooldown_of_its_backend(clock):
    _, _, fallback = both(ollama=[NotReached("no")], openai=[None, Broken("no")])
    fallback.complete(asking(), new_record())
    fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "ollama"


def test_if_all_backends_cool_down_they_are_asked_in_the_promised_order(clock):
    first, second, fallback = both([NotReached("no")], [NotReached("no")])
    with pytest.raises(NotReached):
        fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "ollama"
    assert (first.calls, second.calls) == (2, 1)


def test_the_last_backend_cools_down_too(clock):
    _, _, fallback = both([Broken("no"), Broken("no")], [TimedOut("no")])
    with pytest.raises(Broken):
        fallback.complete(asking(), new_record())

    answer = fallback.complete(asking(), new_record())

    assert answer.provider == "openai"  # although it cools down


def other_model():
    return CompletionRequest("other", (Message("user", "Hi"),), {})


@pytest.mark.parametrize(
    "kind, provider",
    [
        pytest.param(TimedOut, "ollama", id="after a timeout"),
        pytest.param(NotReached, "openai", id="after a refused connection"),
    ],
)
def test_only_a_backend_that_was_not_reached_cools_down_for_all_models(
    kind, provider, clock
):
    _, _, fallback = both(ollama=[kind("no")])
    fallback.complete(asking(), new_record())

    answer = fallback.complete(other_model(), new_record())

    assert answer.provider == provider


def test_an_answer_ends_the_cooldown_for_all_models(clock):
    _, _, fallback = both([NotReached("no")], [None, Broken("no")])
    fallback.complete(asking(), new_record())
    fallback.complete(asking(), new_record())

    answer = fallback.complete(other_model(), new_record())

    assert answer.provider == "ollama"


def test_cooldowns_that_are_over_are_forgotten(clock):
    _, _, fallback = both(ollama=[TimedOut("no"), TimedOut("no")])
    fallback.complete(asking(), new_record())
    clock.advance(5)
    fallback.complete(other_model(), new_record())

    assert list(fallback._cooling) == [("ollama", "other")]


# No backend answers


KINDS = [*FALL_BACK, *FINAL]


def test_every_kind_has_one_rank():
    assert sorted(kind.__name__ for kinds in RANKED for kind in kinds) == sorted(
        kind.__name__ for kind in KINDS
    )


@pytest.mark.parametrize(
    "ollama, openai, error",
    [
        pytest.param(
            Broken, RateLimited, RateLimited, id="the one that says when to retry"
        ),
        pytest.param(Broken, Busy, Busy, id="the one that is busy"),
        pytest.param(
            Broken, KeyRefused, Broken, id="the one that may go away by itself"
        ),
        pytest.param(NotReached, KeyRefused, KeyRefused, id="what a backend said"),
        pytest.param(
            TimedOut, KeyRefused, KeyRefused, id="what a backend said in time"
        ),
        pytest.param(
            NotReached, TimedOut, TimedOut, id="the one of the backend that was reached"
        ),
        pytest.param(ModelNotFound, ModelNotFound, ModelNotFound, id="404 by all"),
        pytest.param(
            Busy, ModelNotFound, Busy, id="not 404, if the other may have the model"
        ),
        pytest.param(
            TimedOut,
            ModelNotFound,
            TimedOut,
            id="not 404, while the other may be loading it",
        ),
        pytest.param(
            NotReached,
            ModelNotFound,
            ModelNotFound,
            id="404, if the other is not there",
        ),
    ],
)
def test_if_both_backends_fail_the_error_is(ollama, openai, error):
    for first, second in [(ollama, openai), (openai, ollama)]:
        _, _, fallback = both([first("no")], [second("no")])

        with pytest.raises(error):
            fallback.complete(asking(), new_record())


@pytest.mark.parametrize("kinds", list(itertools.combinations(FALL_BACK, 2)))
def test_the_order_of_asking_does_not_change_the_error(kinds):
    failures = [kind("no") for kind in kinds]

    errors = {error_to_report(order) for order in itertools.permutations(failures)}

    assert len(errors) == 1 or {Broken, NoSuchPath} == set(kinds)


@pytest.mark.parametrize("kind", [NotReached, TimedOut])
@pytest.mark.parametrize("other", FALL_BACK)
def test_a_cooldown_does_not_change_the_error(kind, other, clock):
    first, _, fallback = both([kind("no")] * 2, [other("no")] * 2)

    kinds = []
    for _ in range(2):
        with pytest.raises((kind, other)) as failure:
            fallback.complete(asking(), new_record())
        kinds.append(failure.type)

    assert kinds[0] is kinds[1]
    assert first.calls == 2


def test_of_two_busy_backends_the_shorter_wait_is_reported():
    failures = [Busy("a", {"Retry-After": "9"}), Busy("b", {"Retry-After": "2"})]

    errors = [error_to_report(order) for order in (failures, failures[::-1])]

    assert [error.message for error in errors] == ["b", "b"]


@pytest.mark.parametrize(
    ("ollama", "openai", "message"),
    [
        (ModelNotFound, ModelNotFound, "Neither ollama nor openai has the model 'm'."),
        (NotReached, ModelNotFound, "openai does not have the model 'm'."),
    ],
)
def test_a_missing_model_is_named(ollama, openai, message):
    _, _, fallback = both([ollama("no")], [openai("no")])

    with pytest.raises(ModelNotFound) as failure:
        fallback.complete(asking(), new_record())

    assert failure.value.message == message


def test_without_a_backend_the_service_is_unavailable():
    fallback = Fallback([], 5, lambda attempt: None)

    with pytest.raises(NotReached) as failure:
        fallback.complete(asking(), new_record())

    assert failure.value.headers == {"Retry-After": "1"}


# Streams


def streaming(*streams, observe=lambda attempt: None):
    """The fallback of backends that give these streams."""
    backends = [Scripted("ollama"), Scripted("openai")]
    for backend, stream in zip(backends, streams, strict=False):
        backend.stream = lambda request, stream=stream: stream
    return Fallback(backends[: len(streams)], 5, observe)


def test_a_stream_gives_all_its_pieces_in_order():
    fallback = streaming(Stream([[Token("a"), Token("b")], [Token("c")], [END]]))

    pieces = list(fallback.stream(asking(), new_record()))

    assert pieces == [[Token("a"), Token("b")], [Token("c")], [END]]


def test_a_stream_is_returned_only_after_its_first_piece():
    asked = []

    class Watched(Stream):
        def __iter__(self):
            asked.append("first piece")
            yield [END]

    fallback = streaming(Watched([]))

    fallback.stream(asking(), new_record())

    assert asked == ["first piece"]


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


def test_a_stream_that_fails_after_its_first_piece_does_not_fall_back():
    second = Stream([[END]])
    fallback = streaming(Stream([[Token("a")]], Broken("no")), second)
    pieces = iter(fallback.stream(asking(), new_record()))

    assert next(pieces) == [Token("a")]
    with pytest.raises(Broken):
        next(pieces)


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


def test_closing_a_stream_closes_the_upstreams():
    upstreams = Stream([[Token("a")], [END]])
    stream = streaming(upstreams).stream(asking(), new_record())

    stream.close()

    assert upstreams.closed


# The limit on requests that wait for a model


def test_a_refused_request_frees_no_slot():
    limit = InflightLimit(1)

    with limit.slot():
        for _ in range(2):
            with pytest.raises(Overloaded), limit.slot():
                pass


def test_without_a_limit_no_request_is_refused():
    limit = InflightLimit(None)

    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(limit.slot())
