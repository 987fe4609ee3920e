"""Failures that do not say what they have to, and request ids that get lost."""

from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import everywhere, failures, layer


@failures("batch@1", "HTTP-09", "HTTP-15", "HTTP-17", "HTTP-25", shows="echo")
def error_is_missing(fields: Json) -> None:
    """There is no `error`."""
    del fields["error"]


@failures("embed@1", "HTTP-09", "HTTP-25")
def message_is_empty(fields: Json) -> None:
    """`message` is empty."""
    fields["message"] = ""


@failures("embed@1", "HTTP-09")
def status_code_is_another(fields: Json) -> None:
    """`status_code` is not that of the status line."""
    fields["status_code"] = 500


@failures("embed@1", "HTTP-09")
def status_code_is_a_fraction(fields: Json) -> None:
    """`status_code` is 400.0."""
    fields["status_code"] = float(fields["status_code"])


@failures("embed@1", "HTTP-10")
def code_is_missing(fields: Json) -> None:
    """There is no `code`."""
    del fields["code"]


@failures("embed@1", "HTTP-10")
def retryable_is_missing(fields: Json) -> None:
    """There is no `retryable`."""
    del fields["retryable"]


@layer("stream@1", "HTTP-17", "HTTP-25", shows="http-500")
def failure_is_an_event(request: Request, server: Ask) -> Answer:
    """Who accepts events gets a failure as an event."""
    answer = server(request)
    if request.headers.get("accept") == "text/event-stream" and answer.status >= 400:
        answer.send_bytes(b"data: " + answer.body + b"\n\n")
    return answer


@layer("stream@1", "HTTP-17", shows="http-500")
def failure_is_labelled_as_a_stream(request: Request, server: Ask) -> Answer:
    """Who accepts events gets a failure that is labelled as a stream."""
    answer = server(request)
    if answer.status >= 400:
        answer.headers["content-type"] = request.headers.get("accept", "*/*").replace("*/*", "application/json")  # fmt: skip
    return answer


@everywhere("embed@1", "HTTP-11")
def answers_have_no_request_id(answer: Answer) -> None:
    """Only failures carry an X-Request-Id."""
    if answer.status == 200:
        answer.headers.pop("x-request-id")


@everywhere("embed@1", "HTTP-11", "HTTP-12", "HTTP-13", shows="http-500")
def failures_have_no_request_id(answer: Answer) -> None:
    """Only good answers carry an X-Request-Id."""
    if answer.status != 200:
        answer.headers.pop("x-request-id")


@failures("embed@1", "HTTP-12")
def request_id_is_another(fields: Json) -> None:
    """The envelope has a request id of its own."""
    fields["request_id"] = "0"


@layer("embed@1", "HTTP-13")
def request_id_is_replaced(request: Request, server: Ask) -> Answer:
    """The client's X-Request-Id is replaced."""
    request.headers.pop("x-request-id", None)
    return server(request)
