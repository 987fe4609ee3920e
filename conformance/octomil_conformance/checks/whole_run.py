"""What all responses of a run have in common, whichever check asked for them (spec sections 1.1 and 1.3)."""

from collections.abc import Callable, Container
from functools import partial

from octomil_conformance.api import Api
from octomil_conformance.checks.envelopes import CLASSES
from octomil_conformance.exchange import MISSING, Exchange
from octomil_conformance.expect import expect, one_of, written
from octomil_conformance.requirement import requirement
from octomil_conformance.schemas import is_bound, schema_complaints
from octomil_conformance.wire.embed import vectors

FAILURES = range(400, 600)
REJECTIONS = (400, 404, 405, 413, 415, 422)
"""The request is at fault. auth.py has the checks of a 401."""


def in_failures(
    name: str, wanted: Callable[[Exchange], object], statuses: Container[int] = FAILURES
) -> Callable[[Exchange], list[str]]:
    """Complaints about failures whose envelope has another value in this field. HTTP-25 is about envelopes without it."""

    def complaints(answer: Exchange) -> list[str]:
        got = answer.field(name)
        if answer.status not in statuses or not is_bound(answer):
            return []
        is_right = one_of(MISSING, wanted(answer)).holds(got)
        return [] if is_right else [f"{written(got)} in a {answer.status}"]

    return complaints


in_rejections = partial(in_failures, statuses=REJECTIONS)


def id_of(answer: Exchange) -> object:
    return answer.header("X-Request-Id") or MISSING


def without_id(answer: Exchange) -> list[str]:
    return [f"none in a {answer.status}"] * (is_bound(answer) and not id_of(answer))


@requirement("HTTP-25", serial=True)
def every_response_matches_its_schema(api: Api) -> None:
    complaints = api.complaints(schema_complaints)

    expect(sorted({*complaints}), [], "responses that match openapi.json")


@requirement("HTTP-09", serial=True)
def every_rejection_has_its_status(api: Api) -> None:
    found = api.complaints(in_rejections("status_code", lambda answer: answer.status))

    expect(sorted({*found}), [], "the status as `status_code` of each")


@requirement("HTTP-32", serial=True)
def no_rejected_request_is_to_be_tried_again(api: Api) -> None:
    found = api.complaints(in_rejections("retryable", lambda answer: False))

    expect(sorted({*found}), [], "false as `retryable` of each")


@requirement("HTTP-33", serial=True)
def every_rejection_has_the_class_of_its_status(api: Api) -> None:
    found = api.complaints(
        in_rejections("error", lambda answer: CLASSES[answer.status])
    )

    expect(sorted({*found}), [], "the class of the status as `error` of each")


@requirement("HTTP-11", serial=True)
def every_response_has_a_request_id(api: Api) -> None:
    expect(sorted({*api.complaints(without_id)}), [], "an X-Request-Id in each")


@requirement("HTTP-12", serial=True)
def every_envelope_names_the_request_id(api: Api) -> None:
    found = api.complaints(in_failures("request_id", id_of))

    expect(sorted({*found}), [], "the X-Request-Id as `request_id` of each")


def other_vectors(answer: Exchange) -> list[str]:
    found = vectors(answer)
    if answer.status != 200 or answer.field("embeddings") in (MISSING, found):
        return []
    return [f"other vectors in an answer to {len(found)} texts"]


@requirement("EMBED-16", serial=True)
def every_answer_repeats_its_own_vectors(api: Api) -> None:
    found = api.complaints(other_vectors)

    expect(sorted({*found}), [], "the vectors of `data` as `embeddings` of each")
