"""Which backend answers, or which error is reported: the promised order, fallback, cooldown, and the limit on requests."""

import itertools
from collections import Counter
from contextlib import ExitStack, suppress

import pytest
from builders import asking, embedding, new_record
from scripted_backends import END, FALL_BACK, FINAL, Stream, both, streaming

from octomil_ref.backends import Reasoning, Token
from octomil_ref.clock import Deadline
from octomil_ref.errors import (
    RANKED,
    Broken,
    Busy,
    ClientLeft,
    KeyRefused,
    ModelNotFound,
    NoSuchPath,
    NotReached,
    RateLimited,
    RequestRefused,
    TimedOut,
    UpstreamError,
)
from octomil_ref.fallback import InflightLimit, error_to_report
from octomil_ref.payloads import CompletionRequest, Message
from octomil_ref.records import Attempt

COOL_DOWN = [NotReached, TimedOut]


def complete(fallback, record=None):
    return fallback.complete(asking(), record or new_record())


def stream(fallback, record=None):
    return fallback.stream(asking(), record or new_record())


def embed(fallback, record=None):
    return fallback.embed(embedding("a"), record or new_record())


each_operation = pytest.mark.parametrize("ask", [complete, stream, embed])


@each_operation
def test_the_first_backend_answers_and_the_second_is_not_asked(ask):
    _, second, fallback = both()
    record = new_record()

    answer = ask(fallback, record)

    assert answer.provider == record.provider == "ollama"
    assert record.fallback is None
    assert second.calls == 0


@each_operation
@pytest.mark.parametrize("kind", FALL_BACK)
def test_the_second_backend_answers_after(kind, ask):
    _, _, fallback = both(ollama=[kind("no")])
    record = new_record()

    answer = ask(fallback, record)

    assert answer.provider == record.provider == "openai"
    assert record.fallback is True


@each_operation
def test_for_a_client_that_left_no_other_backend_is_asked_and_none_cools_down(ask):
    seen = []
    first, second, fallback = both(ollama=[ClientLeft()], observe=seen.append)

    with pytest.raises(ClientLeft):
        ask(fallback)
    ask(fallback)

    assert (first.calls, second.calls) == (2, 0)
    assert [type(attempt.failure) for attempt in seen] == [ClientLeft, type(None)]


@each_operation
@pytest.mark.parametrize("kind", FINAL)
def test_the_second_backend_is_not_asked_after(kind, ask):
    _, second, fallback = both(ollama=[kind("no")])

    with pytest.raises(kind):
        ask(fallback)

    assert second.calls == 0


def outcome(attempt: Attempt) -> tuple[str, str, bool]:
    failure = type(attempt.failure).__name__ if attempt.failure else "ok"
    return attempt.provider, failure, attempt.interrupted


@each_operation
@pytest.mark.parametrize(
    "failures, outcomes",
    [
        ([Busy("no")], [("ollama", "Busy", False), ("openai", "ok", False)]),
        ([RequestRefused("no")], [("ollama", "RequestRefused", False)]),
    ],
    ids=["that is answered by the next", "that ends the request"],
)
def test_each_attempt_is_observed_with_its_outcome(ask, failures, outcomes):
    seen = []
    _, _, fallback = both(failures, observe=lambda a: seen.append(outcome(a)))

    with suppress(RequestRefused):
        ask(fallback, new_record())

    assert seen == outcomes


def test_a_stream_that_breaks_off_is_observed_again_and_does_not_fall_back():
    outcomes = []
    fallback = streaming(
        *(Stream([[Token("a")]], Broken("no")), Stream([])),
        observe=lambda attempt: outcomes.append(outcome(attempt)),
    )

    with pytest.raises(Broken):
        list(stream(fallback))

    assert outcomes == [("ollama", "ok", False), ("ollama", "Broken", True)]


# The failures of both backends, the cooldown in seconds, and the providers of three answers; `!` stands for an error.
# Five seconds pass before the third.
COOLDOWNS = {
    "after a timeout": ([TimedOut], [], 9, "openai openai openai"),
    "until it is over": ([NotReached], [], 5, "openai openai ollama"),
    "before it is over": ([NotReached], [], 5.1, "openai openai openai"),
    "of 0 seconds": ([NotReached], [], 0, "openai ollama ollama"),
    "while the other fails": ([NotReached], [None, Broken], 9, "openai ollama ollama"),
    "of both": ([NotReached], [NotReached], 9, "! ollama ollama"),
    "of the last one": ([Broken, Broken], [TimedOut], 9, "! openai ollama"),
    **{
        f"not after {kind.__name__}": ([kind], [], 9, "openai ollama ollama")
        for kind in FALL_BACK
        if kind not in COOL_DOWN
    },
}


@pytest.mark.parametrize(
    "ollama, openai, cooldown, providers", COOLDOWNS.values(), ids=COOLDOWNS
)
def test_a_backend_cools_down(ollama, openai, cooldown, providers, clock):
    ollama, openai = (
        [kind and kind("no") for kind in each] for each in (ollama, openai)
    )
    _, _, fallback = both(ollama, openai, cooldown)
    answered = [provider_of(fallback), provider_of(fallback)]
    clock.advance(5)

    answered.append(provider_of(fallback))

    assert " ".join(answered) == providers


def provider_of(fallback) -> str:
    try:
        return complete(fallback).provider
    except UpstreamError:
        return "!"


def other_model():
    return CompletionRequest("other", (Message("user", "Hi"),), {})


@pytest.mark.parametrize(
    "kind, provider", [(TimedOut, "ollama"), (NotReached, "openai")]
)
def test_only_a_backend_that_was_not_reached_cools_down_for_all_models(
    kind, provider, clock
):
    _, _, fallback = both(ollama=[kind("no")])
    complete(fallback)

    answer = fallback.complete(other_model(), new_record())

    assert answer.provider == provider


def test_an_answer_ends_the_cooldown_for_all_models(clock):
    _, _, fallback = both([NotReached("no")], [None, Broken("no")])
    complete(fallback)
    complete(fallback)

    answer = fallback.complete(other_model(), new_record())

    assert answer.provider == "ollama"


def test_cooldowns_that_are_over_are_forgotten(clock):
    _, _, fallback = both(ollama=[TimedOut("no"), TimedOut("no")])
    complete(fallback)
    clock.advance(5)
    fallback.complete(other_model(), new_record())

    assert list(fallback._cooling) == [("ollama", "other")]


def test_other_threads_may_end_and_begin_cooldowns_while_one_begins():
    class OtherThreads(Deadline):
        def remaining(self):
            fallback._cooling.pop(("ollama", "other"))
            fallback._cooling["openai", "third"] = Deadline(5)
            return 0

    _, _, fallback = both([TimedOut("no")])
    fallback._cooling["ollama", "other"] = OtherThreads(5)

    assert provider_of(fallback) == "openai"
    assert {*fallback._cooling} == {("openai", "third"), ("ollama", asking().model_id)}


# The limit on requests that wait for a model


def test_without_a_limit_no_request_is_refused():
    limit = InflightLimit(None)

    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(limit.slot())


# Streams: no fallback follows the first token, or a second of thinking


def test_a_stream_gives_all_its_pieces_in_order_and_closes_the_upstreams():
    upstreams = Stream([[Token("a"), Token("b")], [Token("c")], [END]])
    stream = streaming(upstreams).stream(asking(), new_record())

    pieces = list(stream)
    stream.close()

    assert pieces == upstreams.pieces
    assert upstreams.closed


def test_a_stream_that_fails_by_a_bug_is_closed():
    failing = Stream([], ZeroDivisionError())
    fallback = streaming(failing)

    with pytest.raises(ZeroDivisionError):
        fallback.stream(asking(), new_record())

    assert failing.closed


THOUGHT = [Reasoning()]


def thinking_for(clock, seconds):
    """A stream that fails after it has thought for this many seconds."""

    def pieces():
        if seconds:
            yield THOUGHT
            clock.advance(seconds)
            yield THOUGHT

    return Stream(pieces(), Broken("no"))


@pytest.mark.parametrize("seconds", [0, 0.9])
def test_a_stream_that_fails_within_a_second_of_thinking_is_closed_and_falls_back(
    clock, seconds
):
    failing = thinking_for(clock, seconds)
    fallback = streaming(failing, Stream([[END]]))

    stream = fallback.stream(asking(), new_record())

    assert stream.provider == "openai"
    assert failing.closed


def test_a_stream_that_has_thought_for_a_second_does_not_fall_back(clock):
    fallback = streaming(thinking_for(clock, 1), Stream([[END]]))
    pieces = iter(fallback.stream(asking(), new_record()))

    assert next(pieces) == THOUGHT
    with pytest.raises(Broken):
        next(pieces)


def test_thoughts_before_a_token_are_not_kept():
    fallback = streaming(Stream([THOUGHT, THOUGHT, [*THOUGHT, Token("a")], [END]]))

    pieces = list(fallback.stream(asking(), new_record()))

    assert pieces == [[*THOUGHT, Token("a")], [END]]


# The error that is reported when no backend answers


def test_every_kind_has_one_rank():
    ranked = [kind for kinds in RANKED for kind in kinds]

    assert Counter(ranked) == Counter(UpstreamError.__subclasses__())


@pytest.mark.parametrize(
    "ollama, openai, error",
    [
        (Broken, RateLimited, RateLimited),  # a rate limit says when to retry
        (Broken, Busy, Busy),
        (Broken, KeyRefused, Broken),  # a failure may pass, a refused key stays
        (NotReached, KeyRefused, KeyRefused),  # a response outranks no connection
        (TimedOut, KeyRefused, KeyRefused),  # a response outranks a timeout
        (NotReached, TimedOut, TimedOut),  # the backend that timed out was reached
        (Busy, ModelNotFound, Busy),  # the busy backend may have the model
        (TimedOut, ModelNotFound, TimedOut),  # the backend may be loading the model
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
        (ModelNotFound, ModelNotFound, "ollama and openai did not find the model 'm'."),
        (NotReached, ModelNotFound, "openai did not find the model 'm'."),
    ],
)
def test_a_missing_model_is_named(ollama, openai, message):
    _, _, fallback = both([ollama("no")], [openai("no")])

    with pytest.raises(ModelNotFound) as failure:
        fallback.complete(asking(), new_record())

    assert failure.value.message == message
