"""The answer to a batch (spec section 6)."""

from typing import Any

from octomil_conformance.exchange import (
    MISSING,
    Exchange,
    field,
    is_integer,
    items,
)
from octomil_conformance.expect import expect
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import ARRAY, LATENCY, is_latency, is_name


def is_answer(result: object) -> bool:
    return (
        field(result, "output") not in (None, MISSING)
        and is_latency(field(result, "latency_ms"))
        and is_name(field(result, "provider"))
    )


def is_failure(result: object) -> bool:
    error = field(result, "error")
    return (
        is_name(field(error, "error"))
        and is_name(field(error, "message"))
        and is_integer(field(error, "status_code"))
    )


def results_of(exchange: Exchange) -> list[Any]:
    return items(exchange.field("results"))


@requirement("BATCH-01")
def the_answer_is_a_200_with_results(exchange: Exchange) -> None:
    expect(exchange.status, 200)
    expect(exchange.field("results"), ARRAY)


@requirement("BATCH-02")
def results_are_counted_through(exchange: Exchange) -> None:
    places = [field(result, "index") for result in results_of(exchange)]

    expect(places, [*range(len(places))])
    expect(len(places), len(items(field(exchange.request.fields, "inputs"))))


@requirement("BATCH-03")
def a_result_is_an_answer_or_an_envelope(exchange: Exchange) -> None:
    results = results_of(exchange)
    bad = [each for each in results if is_answer(each) == is_failure(each)]

    expect(bad, [], "each result either an answer or an error")


@requirement("BATCH-04")
def successes_and_failures_are_counted(exchange: Exchange) -> None:
    results = results_of(exchange)
    failed = sum(field(each, "error") not in (None, MISSING) for each in results)

    expect(exchange.field("failed"), failed)
    expect(exchange.field("succeeded"), len(results) - failed)


@requirement("BATCH-05")
def model_and_latency_are_correct(exchange: Exchange) -> None:
    asked = field(exchange.request.fields, "model_id")

    expect(exchange.field("model_id"), asked)
    expect(exchange.field("latency_ms"), LATENCY)
