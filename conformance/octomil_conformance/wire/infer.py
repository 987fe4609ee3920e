"""A single answer (spec section 4)."""

from octomil_conformance.exchange import MISSING, Exchange, Fields, field
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import (
    FINISH_REASONS,
    is_latency,
    is_name,
    usage_adds_up,
)


@requirement("INFER-01")
def the_answer_is_a_200_with_an_object(exchange: Exchange) -> None:
    assert exchange.status == 200
    assert isinstance(exchange.fields, Fields), "a JSON object"


@requirement("INFER-02")
def output_is_there(exchange: Exchange) -> None:
    output = field(exchange.fields, "output")

    assert output not in (None, MISSING), "any JSON value but null"


@requirement("INFER-03")
def latency_is_a_number(exchange: Exchange) -> None:
    latency = field(exchange.fields, "latency_ms")

    assert is_latency(latency), "a finite number, zero or more"


@requirement("INFER-04")
def provider_is_named(exchange: Exchange) -> None:
    provider = field(exchange.fields, "provider")

    assert is_name(provider), "a string that is not empty"


@requirement("INFER-05")
def the_model_is_echoed(exchange: Exchange) -> None:
    asked = field(exchange.request.fields, "model_id")

    assert field(exchange.fields, "model_id") == asked


@requirement("INFER-06")
def finish_reason_is_known(exchange: Exchange) -> None:
    reason = field(exchange.fields, "finish_reason")

    assert reason in (MISSING, None, *FINISH_REASONS)


@requirement("INFER-07")
def usage_is_consistent(exchange: Exchange) -> None:
    usage = field(exchange.fields, "usage")

    assert usage_adds_up(usage), "integers of which the last is the sum"


CHECKS = (
    the_answer_is_a_200_with_an_object,
    output_is_there,
    latency_is_a_number,
    provider_is_named,
    the_model_is_echoed,
    finish_reason_is_known,
    usage_is_consistent,
)
