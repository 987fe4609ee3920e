"""Requirements on all answers (spec section 1.1), and values that several kinds of answers have."""

import json
from typing import Any

from octomil_conformance.exchange import (
    MISSING,
    Exchange,
    Fields,
    field,
    is_integer,
    is_number,
)
from octomil_conformance.expect import Want, Words, expect, one_of
from octomil_conformance.requirement import requirement

FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")


def is_latency(value: object) -> bool:
    return is_number(value) and 0 <= value < float("inf")


def is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def usage_adds_up(usage: Any) -> bool:
    """True if there is no usage, or if `prompt_tokens` and `completion_tokens` are integers and `total_tokens` is their sum."""
    if usage in (MISSING, None):
        return True
    counts = [field(usage, "prompt_tokens"), field(usage, "completion_tokens")]
    total = field(usage, "total_tokens")
    return all(map(is_integer, [*counts, total])) and sum(counts) == total


LATENCY = Want("a finite number, zero or more", is_latency)
NAME = Want("a string that is not empty", is_name)
OBJECT = Want("a JSON object", lambda value: isinstance(value, Fields))
ARRAY = Want("an array", lambda value: isinstance(value, list))
INTEGER = Want("an integer", is_integer)
USAGE = Want("three integers, the last one the sum of the others", usage_adds_up)
BOOLEAN = one_of(True, False)


@requirement("HTTP-03")
def json_is_strict(exchange: Exchange) -> None:
    expect(json_fault(exchange.body), "", "strict JSON in UTF-8")


@requirement("HTTP-04")
def json_is_labelled_as_json(exchange: Exchange) -> None:
    expect(exchange.media_type, "application/json")


@requirement("HTTP-21")
def the_answer_is_complete(exchange: Exchange) -> None:
    expect(exchange.end, one_of("complete", "closed"), "all bytes that were announced")


def json_fault(body: bytes) -> Words:
    """Why some JSON parser would refuse the body; empty if none would."""
    try:
        strict_json(body.decode("utf-8"))
    except (ValueError, RecursionError) as ex:
        return Words(f"{ex}: {body.decode(errors='replace')}")
    return Words()


def strict_json(text: str) -> Any:
    """Raises ValueError for NaN and infinities too."""
    return json.loads(text, parse_constant=_not_json)


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
