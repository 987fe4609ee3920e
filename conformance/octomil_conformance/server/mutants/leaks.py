"""Responses that show the API token of a request, a traceback or a path."""

import json

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.subjects import (
    failures,
    gateway_failures,
    layer,
)

UPSTREAM_FAILURES = (502, 503, 504)


def quoting(request: Request, response: Response, *statuses: int) -> Response:
    """Adds the request's headers to the message of a failure with one of the statuses."""
    if response.status in statuses:
        fields = response.fields
        quoted = json.dumps(request.headers)
        response.send({**fields, "message": f"{fields['message']} {quoted}"})
    return response


@failures("infer@1", "HTTP-16")
def traceback_is_shown(fields: Json) -> None:
    """The message ends with a traceback."""
    fields["message"] += ' File "/srv/app/main.py", line 12, in post'


@layer("infer@1", "HTTP-16", "HTTP-37", shows="http-500")
def token_is_shown(request: Request, server: Server) -> Response:
    """The message quotes the request's headers."""
    return quoting(request, server(request), *range(400, 600))


@layer("embed@1", "HTTP-37")
def an_unknown_path_repeats_the_token(request: Request, server: Server) -> Response:
    """The message of a 404 quotes the request's headers."""
    return quoting(request, server(request), 404)


@layer("embed@1", "HTTP-37")
def a_wrong_method_repeats_the_token(request: Request, server: Server) -> Response:
    """The message of a 405 quotes the request's headers."""
    return quoting(request, server(request), 405)


@layer("embed@1", "HTTP-37")
def a_large_body_repeats_the_token(request: Request, server: Server) -> Response:
    """The message of a 413 quotes the request's headers."""
    return quoting(request, server(request), 413)


@layer("embed@1", "HTTP-37")
def a_wrong_type_repeats_the_token(request: Request, server: Server) -> Response:
    """The message of a 415 quotes the request's headers."""
    return quoting(request, server(request), 415)


@layer("embed@1", "HTTP-37")
def a_401_repeats_the_token(request: Request, server: Server) -> Response:
    """The message of a 401 quotes the request's headers."""
    return quoting(request, server(request), 401)


@layer("embed@1", "HTTP-37")
def a_header_repeats_the_token(request: Request, server: Server) -> Response:
    """A good answer has the API token in a header."""
    response = server(request)
    if response.status == 200:
        response.headers["x-client"] = request.headers.get("authorization", "")
    return response


@layer("embed@2", "HTTP-36", shows="http-500")
def upstream_failures_repeat_the_token(request: Request, server: Server) -> Response:
    """The message of an upstream's failure quotes the request's headers."""
    return quoting(request, server(request), *UPSTREAM_FAILURES)


@gateway_failures("infer@2", "HTTP-36")
def upstream_failures_show_a_traceback(fields: Json) -> None:
    """The message of an upstream's failure ends with a traceback."""
    fields["message"] += ' File "/srv/app/main.py", line 12, in post'


@layer("embed@1", "HTTP-37")
def parsers_are_quoted(request: Request, server: Server) -> Response:
    """The message about a body that is not JSON quotes ten characters of it."""
    response = server(request)
    if response.status == 400 and request.body:
        place = _fault_in(request.body.decode(errors="replace"))
        response.send(response.fields | {"message": f"Unexpected: {place}"})
    return response


def _fault_in(text: str) -> str:
    """The beginning of what is no JSON."""
    try:
        json.loads(text)
    except ValueError as ex:
        return text[getattr(ex, "pos", 0) :][:10]
    return "a value"


@layer("embed@1", "HTTP-37")
def wrong_values_are_quoted(request: Request, server: Server) -> Response:
    """The message about a field of the wrong type quotes its value."""
    response = server(request)
    if response.status == 400 and request.fields.get("input"):
        response.send(response.fields | {"message": f"Not text: {request.fields}"})
    return response


_refused: set[str] = set()


@layer("embed@2", "HTTP-36", shows=None)
def every_second_refusal_is_quoted(request: Request, server: Server) -> Response:
    """Each second time the message of a refused request is the upstream's, with its path."""
    response = server(request)
    if "400-path" in request.scenario:
        _refused.symmetric_difference_update({request.scenario})
        if request.scenario not in _refused:
            response.send({**response.fields, "message": "no file /seed.py"})
    return response
