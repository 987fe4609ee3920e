"""What all answers have in common (spec section 1.1)."""

import json

from octomil_conformance.exchange import Exchange
from octomil_conformance.findings import Finding
from octomil_conformance.requirement import requirement


@requirement("HTTP-03")
def json_is_strict(exchange: Exchange) -> None:
    strict_json(exchange.body)


@requirement("HTTP-04")
def json_is_labelled_as_json(exchange: Exchange) -> None:
    assert exchange.media_type == "application/json"


@requirement("HTTP-21")
def the_answer_is_complete(exchange: Exchange) -> None:
    assert exchange.end in ("complete", "closed"), "all that the framing announced"


def strict_json(body: bytes) -> None:
    """Raises Finding for JSON that some parser refuses."""
    try:
        json.loads(body.decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as ex:
        raise Finding("strict JSON in UTF-8", f"{ex}: {body!r}") from ex


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


CHECKS = (json_is_strict, json_is_labelled_as_json, the_answer_is_complete)
