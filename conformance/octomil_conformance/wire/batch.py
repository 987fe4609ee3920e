"""The answer to a batch (spec section 6)."""

from octomil_conformance.exchange import (
    MISSING,
    Exchange,
    Fields,
    field,
    is_integer,
    items,
)
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import is_latency, is_name


@requirement("BATCH-01")
def the_answer_is_a_200_with_results(exchange: Exchange) -> None:
    assert exchange.status == 200
    assert isinstance(field(exchange.fields, "results"), list), "an array of results"


@requirement("BATCH-02")
def results_are_counted_through(exchange: Exchange) -> None:
    results = items(field(exchange.fields, "results"))
    asked = items(field(exchange.request.fields, "inputs"))

    assert [field(result, "index") for result in results] == [*range(len(asked))]


@requirement("BATCH-03")
def a_result_is_an_answer_or_an_envelope(exchange: Exchange) -> None:
    results = items(field(exchange.fields, "results"))

    assert [
        result for result in results if is_answer(result) == is_failure(result)
    ] == [], "either an answer or an error, each of them"


@requirement("BATCH-04")
def successes_and_failures_are_counted(exchange: Exchange) -> None:
    results = items(field(exchange.fields, "results"))
    failed = sum("error" in result for result in results if isinstance(result, Fields))

    assert field(exchange.fields, "failed") == failed
    assert field(exchange.fields, "succeeded") == len(results) - failed


@requirement("BATCH-05")
def model_and_latency_are_told(exchange: Exchange) -> None:
    assert field(exchange.fields, "model_id") == field(
        exchange.request.fields, "model_id"
    )
    assert is_latency(field(exchange.fields, "latency_ms")), (
        "a finite number, zero or more"
    )


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


CHECKS = (
    the_answer_is_a_200_with_results,
    results_are_counted_through,
    a_result_is_an_answer_or_an_envelope,
    successes_and_failures_are_counted,
    model_and_latency_are_told,
)
