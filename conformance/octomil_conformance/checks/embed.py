"""Vectors of the model (spec section 7). How clients read them is in wire/embed.py."""

from collections.abc import Sequence
from typing import Any

from octomil_conformance.api import REFUSED, UNAVAILABLE, Api
from octomil_conformance.backend import embed
from octomil_conformance.exchange import is_number, items
from octomil_conformance.expect import expect, less_than
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.embed import vectors

TEXTS = ["a ripe cherry", "the speed of light"]


@requirement("EMBED-10")
def a_string_gives_one_vector(api: Api) -> None:
    answer = api.ask(TEXTS[0])

    expect(answer.status, 200)
    expect(len(vectors(answer)), 1)


@requirement("EMBED-11")
def an_array_is_accepted(api: Api) -> None:
    answer = api.ask(TEXTS)

    expect(answer.status, 200)


@requirement("EMBED-12")
def vectors_are_in_the_order_of_the_inputs(api: Api) -> None:
    together = vectors(api.ask(TEXTS))
    alone = [*vectors(api.ask(TEXTS[0])), *vectors(api.ask(TEXTS[1]))]
    right = [likeness(one, two) for one, two in zip(together, alone)]
    wrong = [likeness(one, two) for one, two in zip(together, alone[::-1])]

    expect([near > far for near, far in zip(right, wrong)], [True, True])


@requirement("EMBED-13")
def a_request_without_model_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    expect(answer.status, REFUSED)


@requirement("EMBED-14")
def a_request_without_input_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("input",)))

    expect(answer.status, REFUSED)


@requirement("EMBED-15", ["", [], ["a", ""], 7, ["a", 7], {"a": 1}])
def input_that_is_not_text_is_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(input=value))

    expect(answer.status, REFUSED)


@requirement("EMBED-20")
def the_numbers_are_the_models(api: Api) -> None:
    found = vectors(api.ask(TEXTS, scenario="echo"))
    wanted = [embed(text) for text in TEXTS]

    expect([len(vector) for vector in found], [len(vector) for vector in wanted])
    expect(difference(found, wanted), less_than(1e-6))


@requirement("EMBED-21")
def missing_vectors_are_a_failure(api: Api) -> None:
    answer = api.ask(TEXTS, scenario="missing-vectors")

    expect(answer.status, UNAVAILABLE)


@requirement("EMBED-22")
def a_model_that_no_upstream_has_is_not_found(api: Api) -> None:
    answer = api.ask(TEXTS, scenario="missing")

    expect(answer.status, 404)


def likeness(one: Any, two: Any) -> float:
    """The cosine of the angle between two vectors; -1 if there is none."""
    pairs = [*zip(_numbers(one), _numbers(two))]
    product = sum(a * b for a, b in pairs)
    lengths = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return product / lengths**0.5 if lengths else -1.0


def difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest difference between two numbers in the same place."""
    numbers = [[*map(_numbers, each)] for each in (found, wanted)]
    return max(
        (abs(a - b) for one, two in zip(*numbers) for a, b in zip(one, two)),
        default=float("inf"),
    )


def _numbers(vector: Any) -> list[float]:
    return [float(value) for value in items(vector) if is_number(value)]
