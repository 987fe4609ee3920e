"""Failures without a proper envelope, and request ids that get lost."""

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.mutants import failures, layer, responses


@failures("batch@1", "HTTP-09", "HTTP-15", "HTTP-17", "HTTP-25", shows="echo")
def error_is_missing(fields: Json) -> None:
    """A failure has no `error`."""
    del fields["error"]


@failures("embed@1", "HTTP-09", "HTTP-25")
def message_is_empty(fields: Json) -> None:
    """The `message` of a failure is empty."""
    fields["message"] = ""


@failures("embed@1", "HTTP-09")
def status_code_is_another(fields: Json) -> None:
    """The `status_code` of a failure differs from the status line."""
    fields["status_code"] = 500


@failures("embed@1", "HTTP-09")
def status_code_is_a_fraction(fields: Json) -> None:
    """The `status_code` of a failure is 400.0."""
    fields["status_code"] = float(fields["status_code"])


@failures("embed@1", "HTTP-10")
def code_is_missing(fields: Json) -> None:
    """A failure has no `code`."""
    del fields["code"]


@failures("embed@1", "HTTP-10")
def retryable_is_missing(fields: Json) -> None:
    """A failure has no `retryable`."""
    del fields["retryable"]


@layer("stream@1", "HTTP-17", "HTTP-25", shows="http-500")
def failure_is_an_event(request: Request, server: Server) -> Response:
    """A client that accepts events gets a failure as an event."""
    response = server(request)
    if request.headers.get("accept") == "text/event-stream" and response.status >= 400:
        response.send_bytes(b"data: " + response.body + b"\n\n")
    return response


@layer("stream@1", "HTTP-17", shows="http-500")
def failure_is_labelled_as_a_stream(request: Request, server: Server) -> Response:
    """A client that accepts events gets a failure with the content type of a stream."""
    response = server(request)
    if response.status >= 400:
        response.headers["content-type"] = request.headers.get("accept", "*/*").replace("*/*", "application/json")  # fmt: skip
    return response


@responses("embed@1", "HTTP-11")
def answers_have_no_request_id(response: Response) -> None:
    """Good answers have no X-Request-Id."""
    if response.status == 200:
        response.headers.pop("x-request-id")


@responses("embed@1", "HTTP-11", "HTTP-12", "HTTP-13", shows="http-500")
def failures_have_no_request_id(response: Response) -> None:
    """Failures have no X-Request-Id."""
    if response.status != 200:
        response.headers.pop("x-request-id")


@failures("embed@1", "HTTP-12")
def request_id_is_another(fields: Json) -> None:
    """The envelope has another request id than the header."""
    fields["request_id"] = "0"


@layer("embed@1", "HTTP-13")
def request_id_is_replaced(request: Request, server: Server) -> Response:
    """The client's X-Request-Id is replaced."""
    request.headers.pop("x-request-id", None)
    return server(request)
