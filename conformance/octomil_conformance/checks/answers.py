"""Reads single answers, streams and embeddings in the same way."""

from typing import Any

from octomil_conformance.api import Api
from octomil_conformance.backend import embed
from octomil_conformance.exchange import MISSING, Exchange, field, is_number, items
from octomil_conformance.expect import Want
from octomil_conformance.target import PROMPT
from octomil_conformance.wire.batch import results_of
from octomil_conformance.wire.embed import vectors


def said(answer: Exchange) -> Any:
    """The text of a single answer or of a stream; rounded vectors."""
    if answer.request.profile == "embed":
        return [[*map(_rounded, items(vector))] for vector in vectors(answer)]
    return "".join(answer.tokens) or answer.field("output")


def echoed(api: Api) -> Any:
    """The scripted backend's answer to the default prompt of checks."""
    if api.profile == "embed":
        return [[*map(_rounded, embed(PROMPT))]]
    return PROMPT


def ending(answer: Exchange) -> Any:
    """The object that says how the answer ended: the final event of a stream, or the whole single answer."""
    return next(iter(answer.finals), MISSING) if answer.events else answer.fields


def providers(answer: Exchange) -> set[str]:
    """The providers that an answer, or any event of a stream, names."""
    each = [event["provider"] for event in answer.events] or [answer.field("provider")]
    return {str(name) for name in each if name is not MISSING}


def outputs(answer: Exchange) -> list[Any]:
    """The outputs of a batch; MISSING for an input that failed."""
    return [field(result, "output") for result in results_of(answer)]


def all_or_none(count: int, noun: str) -> Want:
    """The status, and the number of results: one for each text or input, or none because the server takes fewer."""
    allowed = (200, count), (400, 0), (413, 0), (422, 0)
    return Want(
        f"status 200 and {count} {noun}, or 400, 413 or 422", lambda got: got in allowed
    )


def _rounded(number: Any) -> Any:
    return round(number, 5) if is_number(number) else number
