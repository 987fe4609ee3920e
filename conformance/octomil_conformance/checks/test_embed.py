"""Vectors of the model (spec section 7); what clients can read of them is in wire/embed.py."""

from typing import Any

import pytest

from octomil_conformance.api import REFUSED, UNAVAILABLE, Api
from octomil_conformance.backend import embed
from octomil_conformance.checks.vectors import difference, likeness
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.embed import vectors

TEXTS = ["a ripe cherry", "the speed of light"]


@requirement("EMBED-10")
def test_a_string_gives_one_vector(api: Api) -> None:
    answer = api.ask(TEXTS[0])

    assert answer.status == 200
    assert len(vectors(answer)) == 1


@requirement("EMBED-11")
def test_an_array_is_accepted(api: Api) -> None:
    answer = api.ask(TEXTS)

    assert answer.status == 200


@requirement("EMBED-12")
def test_vectors_are_in_the_order_of_the_inputs(api: Api) -> None:
    together = vectors(api.ask(TEXTS))
    alone = [*vectors(api.ask(TEXTS[0])), *vectors(api.ask(TEXTS[1]))]
    right = [likeness(one, two) for one, two in zip(together, alone)]
    wrong = [likeness(one, two) for one, two in zip(together, alone[::-1])]

    assert [near > far for near, far in zip(right, wrong)] == [True, True]


@requirement("EMBED-13")
def test_a_request_without_model_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    assert answer.status in REFUSED


@requirement("EMBED-14")
def test_a_request_without_input_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("input",)))

    assert answer.status in REFUSED


@requirement("EMBED-15")
@pytest.mark.parametrize("value", ["", [], ["a", ""], 7, ["a", 7], {"a": 1}], ids=repr)
def test_input_that_is_no_text_is_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(input=value))

    assert answer.status in REFUSED


@requirement("EMBED-20")
def test_the_numbers_are_the_models(api: Api) -> None:
    found = vectors(api.ask(TEXTS, scenario="echo"))
    wanted = [embed(text) for text in TEXTS]

    assert [len(vector) for vector in found] == [len(vector) for vector in wanted]
    assert difference(found, wanted) < 1e-6


@requirement("EMBED-21")
def test_missing_vectors_are_a_failure(api: Api) -> None:
    answer = api.ask(TEXTS, scenario="missing-vectors")

    assert answer.status in UNAVAILABLE


@requirement("EMBED-22")
def test_a_model_that_nobody_has_is_not_found(api: Api) -> None:
    answer = api.ask(TEXTS, scenario="missing")

    assert answer.status == 404
