"""Responses that show the API token of a request, a traceback or a path."""

import json
from collections.abc import Callable

from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import Json, Request, Response
from octomil_conformance.server.subjects import table

UPSTREAM_FAILURES = (502, 503, 504)


def quoting(*statuses: int) -> Callable[[Request, Response], None]:
    """Adds the request's headers to the message of a failure with one of the statuses."""

    def play(request: Request, response: Response) -> None:
        if response.status in statuses:
            message = f"{response.fields['message']} {json.dumps(request.headers)}"
            response.send(response.fields | {"message": message})

    return play


@on.failures("infer@1", "HTTP-16")
def traceback_is_shown(fields: Json) -> None:
    """The message ends with a traceback."""
    fields["message"] += ' File "/srv/app/main.py", line 12, in post'


@on.gateway_failures("infer@2", "HTTP-36")
def upstream_failures_show_a_traceback(fields: Json) -> None:
    """The message of an upstream's failure ends with a traceback."""
    traceback_is_shown(fields)


table(
    on.replies("infer@1", "HTTP-16", "HTTP-37", shows="http-500"),
    quoting,
    token_is_shown=("The message quotes the request's headers.", *range(400, 600)),
)
table(
    on.replies("embed@1", "HTTP-37"),
    quoting,
    "The message of a {} quotes the request's headers.",
    an_unknown_path_repeats_the_token=(404, 404),
    a_wrong_method_repeats_the_token=(405, 405),
    a_large_body_repeats_the_token=(413, 413),
    a_wrong_type_repeats_the_token=(415, 415),
    a_401_repeats_the_token=(401, 401),
)
table(
    on.replies("embed@2", "HTTP-36", shows="http-500"),
    quoting,
    "The message of {} quotes the request's headers.",
    upstream_failures_repeat_the_token=("an upstream's failure", *UPSTREAM_FAILURES),
)


@on.replies("embed@1", "HTTP-37")
def a_header_repeats_the_token(request: Request, response: Response) -> None:
    """A good answer has the API token in a header."""
    if response.status == 200:
        response.headers["x-client"] = request.headers.get("authorization", "")


@on.replies("embed@1", "HTTP-37")
def parsers_are_quoted(request: Request, response: Response) -> None:
    """The message about a body that is not JSON quotes ten characters of it."""
    if response.status == 400 and request.body:
        place = _fault_in(request.body.decode(errors="replace"))
        response.send(response.fields | {"message": f"Unexpected: {place}"})


def _fault_in(text: str) -> str:
    """The beginning of what is no JSON."""
    try:
        json.loads(text)
    except ValueError as ex:
        return text[getattr(ex, "pos", 0) :][:10]
    return "a value"


@on.replies("embed@1", "HTTP-37")
def wrong_values_are_quoted(request: Request, response: Response) -> None:
    """The message about a field of the wrong type quotes its value."""
    if response.status == 400 and request.fields.get("input"):
        response.send(response.fields | {"message": f"Not text: {request.fields}"})


_refused: set[str] = set()


@on.replies("embed@2", "HTTP-36", shows=None)
def every_second_refusal_is_quoted(request: Request, response: Response) -> None:
    """Each second time the message of a refused request is the upstream's, with its path."""
    if "400-path" in request.scenario:
        _refused.symmetric_difference_update({request.scenario})
        if request.scenario not in _refused:
            response.send({**response.fields, "message": "no file /seed.py"})
