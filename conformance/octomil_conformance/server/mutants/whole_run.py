"""Failures with a certain status that are not like the others. Most of them, only a look at all responses of a run finds."""

import json
from collections.abc import Callable

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response


def saying(status: int, field: str, value: object) -> Callable[[Response], None]:
    def play(response: Response) -> None:
        if response.status == status:
            response.send(response.fields | {field: value})

    return play


on.responses("embed@1", "HTTP-09").table(
    saying,
    "The `status_code` of a {} is 400.",
    a_415_has_another_status_code=(415, 415, "status_code", 400),
)
on.responses("embed@1", "HTTP-12").table(
    saying,
    "The `request_id` of a {} is another one.",
    a_413_has_another_request_id=(413, 413, "request_id", "0"),
)
on.responses("embed@1", "HTTP-32").table(
    saying,
    "The `retryable` of a {} is true.",
    a_413_may_be_tried_again=(413, 413, "retryable", True),
)
on.responses("embed@1", "HTTP-33").table(
    saying,
    "The `error` of a {} is not its class.",
    a_415_has_another_class=(415, 415, "error", "Unsupported Media Type"),
)
on.gateway_failures("embed@2", "HTTP-12").sets(
    upstream_failures_have_another_request_id=("request_id", "0")
)


@on.failures("embed@2", "HTTP-32", shows="http-404")
def a_missing_model_may_be_tried_again(fields: Json) -> None:
    """The `retryable` of a 404 for an unknown model is true."""
    if fields["code"] == "model_not_found":
        fields["retryable"] = True


@on.failures("embed@2", "HTTP-33", shows="http-404")
def a_missing_model_is_a_class(fields: Json) -> None:
    """The `error` of a 404 for an unknown model is `model_not_found`."""
    if fields["code"] == "model_not_found":
        fields["error"] = "model_not_found"


@on.responses("embed@1", "HTTP-11 HTTP-12")
def a_413_has_no_request_id(response: Response) -> None:
    """A 413 has no X-Request-Id."""
    if response.status == 413:
        response.headers.pop("x-request-id")


@on.responses("embed@2", "HTTP-11 HTTP-12", shows="http-500")
def upstream_failures_have_no_request_id(response: Response) -> None:
    """An upstream's failure has no X-Request-Id."""
    if response.status >= 500:
        response.headers.pop("x-request-id")


@on.responses("embed@1", "HTTP-25", shows="status-400")
def failures_are_in_latin_1(response: Response) -> None:
    """A failure is encoded in Latin-1."""
    if response.status >= 400 and response.body:
        fields = response.fields | {"message": "Too few caf\u00e9s."}
        response.send_bytes(json.dumps(fields, ensure_ascii=False).encode("latin-1"))


@on.replies("infer@2", "FAULT-07", shows="http-500")
def gateway_failures_are_events(request: Request, response: Response) -> None:
    """A client that accepts events gets an upstream's failure as an event."""
    if "event-stream" in request.headers.get("accept", "") and response.status >= 500:
        response.send_bytes(b"data: " + response.body + b"\n\n")


on.responses("infer@2", "FAULT-07", shows="http-429").table(
    saying,
    "The `status_code` of a {} is 500.",
    a_429_has_another_status_code=(429, 429, "status_code", 500),
)
on.responses("infer@2", "FAULT-07", shows="slow").table(
    saying,
    "The `status_code` of a {} is 500.",
    a_504_has_another_status_code=(504, 504, "status_code", 500),
)
on.responses("infer@2", "FAULT-09", shows="http-429").table(
    saying,
    "The `retryable` of a {} is false.",
    a_429_is_final=(429, 429, "retryable", False),
)
on.responses("infer@2", "FAULT-09", shows="slow").table(
    saying,
    "The `retryable` of a {} is false.",
    a_504_is_final=(504, 504, "retryable", False),
)
