"""The error that is reported when no backend answers."""

import itertools
from collections import Counter

import pytest
from builders import asking, new_record
from scripted_backends import FALL_BACK, both

from octomil_ref.errors import (
    RANKED,
    Broken,
    Busy,
    KeyRefused,
    ModelNotFound,
    NoSuchPath,
    NotReached,
    RateLimited,
    TimedOut,
    UpstreamError,
)
from octomil_ref.fallback import error_to_report


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
