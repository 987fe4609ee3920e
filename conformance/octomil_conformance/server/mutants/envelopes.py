"""Failures without a proper envelope, and request ids that get lost."""

from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import Json, Request, Response
from octomil_conformance.server.subjects import GONE

on.failures.sets(
    *("batch@1", "HTTP-09", "HTTP-15", "HTTP-17", "HTTP-25", "HTTP-33"),
    error_is_missing=("error", GONE),
    shows="echo",
)
on.failures.sets("embed@1", "HTTP-09", "HTTP-25", message_is_empty=("message", ""))
on.failures.sets(
    "embed@1", "HTTP-09", "HTTP-29", status_code_is_another=("status_code", 500)
)
on.failures.sets("embed@1", "HTTP-10", "HTTP-33", code_is_missing=("code", GONE))
on.failures.sets(
    "embed@1", "HTTP-10", "HTTP-32", retryable_is_missing=("retryable", GONE)
)
on.failures.sets(
    *("embed@1", "HTTP-32"),
    all_failures_are_retryable=("retryable", True),
    shows="status-400",
)
on.failures.sets(
    *("embed@1", "HTTP-33"),
    all_failures_are_errors=("error", "error"),
    all_failures_have_one_code=("code", "server_error"),
)
on.failures.sets("embed@1", "HTTP-12", request_id_is_another=("request_id", "0"))


@on.failures("embed@1", "HTTP-09")
def status_code_is_a_fraction(fields: Json) -> None:
    """The `status_code` of a failure is 400.0."""
    fields["status_code"] = float(fields["status_code"])


@on.replies("stream@1", "HTTP-17", "HTTP-25", shows="http-500")
def failure_is_an_event(request: Request, response: Response) -> None:
    """A client that accepts events gets a failure as an event."""
    if request.headers.get("accept") == "text/event-stream" and response.status >= 400:
        response.send_bytes(b"data: " + response.body + b"\n\n")


@on.replies("stream@1", "HTTP-17", shows="http-500")
def failure_is_labelled_as_a_stream(request: Request, response: Response) -> None:
    """A client that accepts events gets a failure with the content type of a stream."""
    if response.status >= 400:
        accepted = request.headers.get("accept", "*/*")
        response.headers["content-type"] = accepted.replace("*/*", "application/json")


@on.responses("embed@1", "HTTP-11")
def answers_have_no_request_id(response: Response) -> None:
    """Good answers have no X-Request-Id."""
    if response.status == 200:
        response.headers.pop("x-request-id")


@on.responses("embed@1", "HTTP-11", "HTTP-12", "HTTP-13", "HTTP-34", shows="http-500")
def failures_have_no_request_id(response: Response) -> None:
    """Failures have no X-Request-Id."""
    if response.status != 200:
        response.headers.pop("x-request-id")


@on.requests("embed@1", "HTTP-13")
def request_id_is_replaced(request: Request) -> None:
    """The client's X-Request-Id is replaced."""
    request.headers.pop("x-request-id", None)


@on.requests("embed@1", "HTTP-34")
def request_ids_are_all_the_same(request: Request) -> None:
    """All responses have the same X-Request-Id, unless the client sent one."""
    request.headers.setdefault("x-request-id", "request")


_latest: list[str] = []


@on.replies("embed@1", "HTTP-12")
def ids_are_in_one_variable(request: Request, response: Response) -> None:
    """The envelope has the id of the request before."""
    if response.status == 400 and request.body == b'{"model_id": ':
        _latest.append(response.headers["x-request-id"])
        response.send(response.fields | {"request_id": _latest[-2:][0]})
