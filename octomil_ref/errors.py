"""Every way a request can fail: status, code and retryability of each (spec section 1.3). Pure.

    ApiError
    ├── BadRequest               400  malformed JSON, wrong or missing field
    ├── Unauthorized             401  no or wrong token
    ├── NotFound                 404  unknown path
    ├── MethodNotAllowed         405  wrong method
    ├── PayloadTooLarge          413  body over the limit
    ├── UnsupportedMediaType     415  body is not JSON
    ├── UnsupportedModality      422  an image or audio part
    ├── InternalError            500  a bug of ours
    ├── Overloaded               503  too many requests wait for a model
    └── UpstreamError                 one attempt at one upstream failed
        ├── NotReached           503  refused, DNS, TLS
        ├── TimedOut             504  no answer in time
        ├── Busy                 503  it is overloaded or still starting
        ├── RateLimited          429  it has too many requests
        ├── Broken               502  other 5xx, garbage, cut off
        ├── NoSuchPath           502  our base URL for it is wrong
        ├── ModelNotFound        404  it does not have the model
        ├── KeyRefused           502  it refused our key or our account
        ├── ContextTooLong       413  the prompt does not fit its context
        ├── BatchTooLarge        413  more at once than it takes
        ├── ModalityRefused      422  it cannot do what was asked
        └── RequestRefused       400  it refused the request for another reason

No other backend is asked after RequestRefused, nor after ContextTooLong, BatchTooLarge or ModalityRefused with a status below
500. After NotReached and TimedOut the backend is asked last for a while.

Errors are raised where they are known. `middleware.py` renders them; `batch.py` renders the failure of one input, and `streaming.py`
that of a stream that has begun.
"""

from typing import ClassVar

ERROR_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation_error",
    429: "rate_limited",
    500: "internal_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
"""The `error` of an envelope: one word for each status."""

OPENAI_TYPES = {
    401: "authentication_error",
    429: "rate_limit_error",
    **dict.fromkeys((400, 404, 405, 413, 415, 422), "invalid_request_error"),
}
"""The `type` of an error in OpenAI's shape; all others are a `server_error`."""


class ApiError(Exception):
    """An error that the API can show. `message` is for the client: it holds no address, key or prompt."""

    status: ClassVar[int]
    code: ClassVar[str]
    """The SDKs tell errors apart by it."""
    retryable: ClassVar[bool]
    """True if the same request may succeed later."""

    field: str | None = None
    """The field of the request that is wrong, as the client wrote it."""

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}

    def envelope(self) -> dict[str, object]:
        """The error as the API shows it. A response adds its `request_id`."""
        return {
            "error": ERROR_BY_STATUS[self.status],
            "message": self.message,
            "status_code": self.status,
            "code": self.code,
            "retryable": self.retryable,
        }

    def openai_envelope(self) -> dict[str, object]:
        """The error in OpenAI's shape, for the paths below `/v1`."""
        error = {
            "message": self.message,
            "type": OPENAI_TYPES.get(self.status, "server_error"),
            "param": self.field,
            "code": self.code,
        }
        return {"error": error}


class BadRequest(ApiError):
    status, code, retryable = 400, "invalid_input", False


def invalid(field: str, complaint: str) -> BadRequest:
    """An error in one field, named as the client wrote it: `invalid("inputs[3].messages", "must not be empty")`."""
    error = BadRequest(f"Validation failed: '{field}' {complaint}.")
    error.field = field
    return error


class Unauthorized(ApiError):
    status, code, retryable = 401, "authentication_failed", False


class NotFound(ApiError):
    status, code, retryable = 404, "invalid_input", False


class MethodNotAllowed(ApiError):
    status, code, retryable = 405, "invalid_input", False


class PayloadTooLarge(ApiError):
    status, code, retryable = 413, "context_too_large", False


class UnsupportedMediaType(ApiError):
    status, code, retryable = 415, "invalid_input", False


class UnsupportedModality(ApiError):
    status, code, retryable = 422, "unsupported_modality", False


class InternalError(ApiError):
    status, code, retryable = 500, "server_error", True


A_BUG = "The server failed in a way it should not have."
"""The client gets no more than this; the traceback is in the log."""


class ClientLeft(Exception):
    """The client left before its answer was there. No error of the API, because no client reads it."""


class Overloaded(ApiError):
    status, code, retryable = 503, "server_error", True


class UpstreamError(ApiError):
    """One attempt at one backend failed. The class decides whether the next backend is asked; `refusals.py` has the exceptions."""

    falls_back: bool = True
    """True if the next backend is asked."""
    cools_down: ClassVar[bool] = False
    """True if the backend is asked last during the cooldown that follows."""
    upstream_status: int | None = None
    """The status of the upstream's response, if there was one."""
    detail: str = ""
    """For the log, never for clients: what the upstream said, or why it was not reached."""


class NotReached(UpstreamError):
    status, code, retryable = 503, "server_error", True
    cools_down = True


class TimedOut(UpstreamError):
    status, code, retryable = 504, "request_timeout", True
    cools_down = True


class Busy(UpstreamError):
    status, code, retryable = 503, "server_error", True


class RateLimited(UpstreamError):
    status, code, retryable = 429, "rate_limited", True


class Broken(UpstreamError):
    status, code, retryable = 502, "inference_failed", True


class NoSuchPath(UpstreamError):
    status, code, retryable = 502, "inference_failed", True


class ModelNotFound(UpstreamError):
    status, code, retryable = 404, "model_not_found", False


class KeyRefused(UpstreamError):
    status, code, retryable = 502, "cloud_provider_auth_failed", False


class ContextTooLong(UpstreamError):
    status, code, retryable = 413, "context_too_large", False
    falls_back = False


class BatchTooLarge(UpstreamError):
    status, code, retryable = 413, "context_too_large", False
    falls_back = False


class ModalityRefused(UpstreamError):
    status, code, retryable = 422, "unsupported_modality", False
    falls_back = False


class RequestRefused(UpstreamError):
    status, code, retryable = 400, "invalid_input", False
    falls_back = False


FAULTS_OF_REQUESTS = (RequestRefused, ModalityRefused, ContextTooLong, BatchTooLarge)
"""Only the messages of these quote the upstream."""

RANKED: tuple[tuple[type[UpstreamError], ...], ...] = (
    FAULTS_OF_REQUESTS,
    (RateLimited,),
    (Busy,),
    (Broken, NoSuchPath),
    (KeyRefused,),
    (TimedOut,),
    (ModelNotFound,),
    (NotReached,),
)
"""If every backend failed, clients get the failure whose kind comes first here (spec section 10).

Responses come first: those that the client can correct, then those after which it can try again later. A missing model comes after a
timeout, because the backend that timed out may have the model. A failed connection comes last.
"""
