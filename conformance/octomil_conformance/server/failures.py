"""The failures that the server answers with. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from octomil_conformance.server.layers import Json


class Kind(NamedTuple):
    status: int
    code: str
    retryable: bool
    falls_back: bool
    """True if the next backend is asked."""
    error: str = ""
    """The `error` of the envelope; empty if it is the name of the kind."""


KINDS = {
    "bad_request": Kind(400, "invalid_input", False, False),
    "unauthorized": Kind(401, "authentication_failed", False, False),
    "not_found": Kind(404, "invalid_input", False, False),
    "method_not_allowed": Kind(405, "invalid_input", False, False),
    "payload_too_large": Kind(413, "context_too_large", False, False),
    "unsupported_media_type": Kind(415, "invalid_input", False, False),
    "validation_error": Kind(422, "unsupported_modality", False, False),
    "missing_model": Kind(404, "model_not_found", False, True, "not_found"),
    "rate_limited": Kind(429, "rate_limited", True, True),
    "internal_error": Kind(500, "server_error", True, False),
    "bad_gateway": Kind(502, "inference_failed", True, True),
    "bad_key": Kind(502, "cloud_provider_auth_failed", False, True, "bad_gateway"),
    "service_unavailable": Kind(503, "server_error", True, True),
    "gateway_timeout": Kind(504, "request_timeout", True, True),
    "unreached": Kind(503, "server_error", True, True, "service_unavailable"),
}
RANKED = (
    *("rate_limited", "service_unavailable", "bad_gateway", "bad_key"),
    *("gateway_timeout", "missing_model", "unreached"),
)
"""If every backend failed, the client gets the failure whose kind comes first here."""

RETRY = {"Retry-After": "1"}
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Failure(Exception):
    def __init__(
        self, kind: str, message: str, headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.headers = kind, message, headers
        self.status, self.code, self.retryable, self.falls_back, error = KINDS[kind]
        self.error = error or kind

    def envelope(self) -> Json:
        return {
            "error": self.error,
            "message": self.message,
            "status_code": self.status,
            "code": self.code,
            "retryable": self.retryable,
        }


Choice = Callable[[Sequence[Failure]], Failure]
"""Takes the failures of all backends in their order, and returns the one that the client gets."""


def first_in_rank(failures: Sequence[Failure]) -> Failure:
    return min(failures, key=lambda each: RANKED.index(each.kind))


def need(holds: object, complaint: str, kind: str = "bad_request") -> None:
    if not holds:
        raise Failure(kind, f"Validation failed: {complaint}.")
