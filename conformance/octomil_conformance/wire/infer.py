"""A single answer (spec section 4)."""

from octomil_conformance.exchange import MISSING, Exchange, field
from octomil_conformance.expect import Want, expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import FINISH_REASONS, LATENCY, NAME, OBJECT, USAGE

OUTPUT = Want("any JSON value but null", lambda value: value not in (None, MISSING))


@requirement("INFER-01")
def the_answer_is_a_200_with_an_object(exchange: Exchange) -> None:
    expect(exchange.status, 200)
    expect(exchange.fields, OBJECT)


@requirement("INFER-02")
def output_is_there(exchange: Exchange) -> None:
    expect(exchange.field("output"), OUTPUT)


@requirement("INFER-03")
def latency_is_a_number(exchange: Exchange) -> None:
    expect(exchange.field("latency_ms"), LATENCY)


@requirement("INFER-04")
def provider_is_named(exchange: Exchange) -> None:
    expect(exchange.field("provider"), NAME)


@requirement("INFER-05")
def the_model_is_echoed(exchange: Exchange) -> None:
    asked = field(exchange.request.fields, "model_id")

    expect(exchange.field("model_id"), asked)


@requirement("INFER-06")
def finish_reason_is_known(exchange: Exchange) -> None:
    reason = exchange.field("finish_reason")

    expect(reason, one_of(MISSING, None, *FINISH_REASONS))


@requirement("INFER-07")
def usage_is_consistent(exchange: Exchange) -> None:
    expect(exchange.field("usage"), USAGE)
