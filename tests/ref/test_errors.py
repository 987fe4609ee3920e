"""Every way to fail: status, class, code and retryability of each, and who is asked next."""

import pytest

from octomil_ref import errors
from octomil_ref.errors import ApiError, UpstreamError, invalid

TABLE = [
    ("BadRequest", 400, "bad_request", "invalid_input", False),
    ("Unauthorized", 401, "unauthorized", "authentication_failed", False),
    ("NotFound", 404, "not_found", "invalid_input", False),
    ("MethodNotAllowed", 405, "method_not_allowed", "invalid_input", False),
    ("PayloadTooLarge", 413, "payload_too_large", "context_too_large", False),
    ("UnsupportedMediaType", 415, "unsupported_media_type", "invalid_input", False),
    ("UnsupportedModality", 422, "validation_error", "unsupported_modality", False),
    ("InternalError", 500, "internal_error", "server_error", True),
    ("Overloaded", 503, "service_unavailable", "server_error", True),
    ("NotReached", 503, "service_unavailable", "server_error", True),
    ("TimedOut", 504, "gateway_timeout", "request_timeout", True),
    ("Busy", 503, "service_unavailable", "server_error", True),
    ("RateLimited", 429, "rate_limited", "rate_limited", True),
    ("Broken", 502, "bad_gateway", "inference_failed", True),
    ("ModelNotFound", 404, "not_found", "model_not_found", False),
    ("KeyRefused", 502, "bad_gateway", "cloud_provider_auth_failed", False),
    ("ContextTooLong", 413, "payload_too_large", "context_too_large", False),
    ("ModalityRefused", 422, "validation_error", "unsupported_modality", False),
    ("RequestRefused", 400, "bad_request", "invalid_input", False),
]

UPSTREAM_TABLE = [
    ("NotReached", "next", "cooldown"),
    ("TimedOut", "next", "cooldown"),
    ("Busy", "next", "at once"),
    ("RateLimited", "next", "at once"),
    ("Broken", "next", "at once"),
    ("ModelNotFound", "next", "at once"),
    ("KeyRefused", "next", "at once"),
    ("ContextTooLong", "last", "at once"),
    ("ModalityRefused", "last", "at once"),
    ("RequestRefused", "last", "at once"),
]


def kinds(parent: type[ApiError]) -> set[str]:
    """All that can be raised below `parent`."""
    below = {kind.__name__ for kind in parent.__subclasses__()} - {"UpstreamError"}
    return below | {name for kind in parent.__subclasses__() for name in kinds(kind)}


@pytest.mark.parametrize("kind, status, error, code, retryable", TABLE)
def test_a_failure_has_the_envelope_of_its_kind(kind, status, error, code, retryable):
    failure = getattr(errors, kind)("What went wrong.")

    assert failure.envelope() == {
        "error": error,
        "message": "What went wrong.",
        "status_code": status,
        "code": code,
        "retryable": retryable,
    }


@pytest.mark.parametrize("kind, next_backend, again", UPSTREAM_TABLE)
def test_the_kind_decides_who_is_asked_next(kind, next_backend, again):
    failure = getattr(errors, kind)

    assert failure.falls_back == (next_backend == "next")
    assert failure.cools_down == (again == "cooldown")


def test_no_kind_is_missing_in_the_tables():
    assert kinds(ApiError) == {kind for kind, *_ in TABLE}
    assert kinds(UpstreamError) == {kind for kind, *_ in UPSTREAM_TABLE}


def test_a_fault_in_a_field_names_it_as_the_client_wrote_it():
    failure = invalid("inputs[3].messages", "must not be empty")

    assert failure.status == 400
    assert failure.message == (
        "Validation failed: 'inputs[3].messages' must not be empty."
    )


def test_a_failure_may_bring_headers():
    failure = errors.Overloaded("Come again.", {"Retry-After": "1"})

    assert failure.headers == {"Retry-After": "1"}


def test_a_failure_has_no_headers_of_its_own():
    assert errors.BadRequest("Wrong.").headers == {}
