"""Bugs that every endpoint can have."""

import json
from urllib.parse import parse_qsl

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.subjects import (
    GONE,
    all_but,
    answers,
    failures,
    headers,
    layer,
    refuses,
    requests,
    responses,
)

JSON = "application/json"

headers.sets("health@0", "HTTP-04", json_is_plain_text=("content-type", "text/plain"))
headers.sets("embed@1", "HTTP-14", allow_is_missing=("allow", GONE))
answers.sets("health@0", "HTTP-25", version_is_a_number=("version", 1))


@responses("embed@1", "HTTP-01", "HTTP-05", "HTTP-06", "HTTP-09", "HTTP-14", "HTTP-15", "HTTP-22", "EMBED-13", "EMBED-14", "EMBED-15", "HTTP-25", shows="http-500")  # fmt: skip
def failures_are_200(response: Response) -> None:
    """A failure has the status 200."""
    response.status = 200


@layer("batch@1", *all_but("batch@1", "BATCH-02", "BATCH-03", "BATCH-04", "BATCH-05", "HTTP-03", "HTTP-04", "HTTP-07", "HTTP-19", "HTTP-21"))  # fmt: skip
def posts_are_redirected(request: Request, server: Server) -> Response:
    """A path without a slash at its end is redirected to the path with one."""
    response = server(request)
    if not request.path.endswith("/"):
        response.status = 308
        response.headers["location"] = f"{request.path}/"
    return response


@responses("infer@0", "HTTP-03")
def score_is_nan(response: Response) -> None:
    """A number is written as NaN."""
    response.send({**response.fields, "score": float("nan")})


@responses("embed@0", "HTTP-03")
def json_has_a_mark(response: Response) -> None:
    """A JSON body begins with a byte order mark."""
    response.send_bytes(b"\xef\xbb\xbf" + response.body)


@responses("batch@0", "HTTP-21")
def length_is_wrong(response: Response) -> None:
    """Content-Length announces more bytes than there are."""
    response.headers["content-length"] = str(len(response.body) + 7)
    response.headers["connection"] = "close"


@layer("infer@1", "HTTP-05")
def malformed_json_is_a_500(request: Request, server: Server) -> Response:
    """Malformed JSON is answered with 500."""
    response = server(request)
    is_malformed = request.body in (b"{", b'{"model_id": ')
    return response.fail(500) if is_malformed else response


@layer("infer@1", "HTTP-06")
def arrays_are_a_500(request: Request, server: Server) -> Response:
    """A body that is an array is answered with 500."""
    response = server(request)
    return response.fail(500) if request.body.startswith(b"[") else response


@layer("embed@1", "HTTP-07")
def nesting_is_a_500(request: Request, server: Server) -> Response:
    """Deeply nested JSON is answered with 500."""
    response = server(request)
    return response.fail(500) if b"[" * 1000 in request.body else response


@layer("embed@1", "HTTP-07")
def half_a_character_is_a_500(request: Request, server: Server) -> Response:
    """Half of a surrogate pair in a text is answered with 500."""
    response = server(request)
    return response.fail(500) if b"a lone \\ud800" in request.body else response


@refuses("embed@1", "HTTP-08")
def unknown_fields_are_refused(fields: Json) -> bool:
    """An unknown field is refused."""
    return fields.keys() - {"model_id", "input"} != set()


@responses("embed@1", "HTTP-14")
def other_methods_are_not_found(response: Response) -> None:
    """A wrong method is answered with 404."""
    if response.status == 405:
        response.fail(404)


@responses("embed@1", "HTTP-15")
def unknown_path_is_a_400(response: Response) -> None:
    """An unknown path is answered with 400."""
    if response.status == 404:
        response.fail(400)


@responses("embed@1", "HTTP-15")
def unknown_path_is_a_page(response: Response) -> None:
    """An unknown path is answered with a web page."""
    if response.status == 404:
        response.send_bytes(b"<h1>Not found</h1>")


@requests("embed@1", "HTTP-18")
def content_type_is_read_strictly(request: Request) -> None:
    """The content type has to be application/json to the letter."""
    if request.headers.get("content-type") != JSON:
        request.headers["content-type"] = "text/plain"


@requests("embed@1", "HTTP-19")
def slash_is_not_found(request: Request) -> None:
    """A path with a slash at its end is unknown."""
    if request.path.endswith("/"):
        request.path += "nothing"


@requests("embed@1", "HTTP-22")
def forms_are_read(request: Request) -> None:
    """A form is read as if it were JSON."""
    if "form" in request.headers.get("content-type", ""):
        request.headers["content-type"] = JSON
        request.send(dict(parse_qsl(request.body.decode())))


@requests("embed@1", "HTTP-23")
def chunks_are_not_read(request: Request) -> None:
    """A chunked body counts as empty."""
    if "transfer-encoding" in request.headers:
        request.body = b""


@failures("infer@1", "HTTP-16")
def traceback_is_shown(fields: Json) -> None:
    """The message ends with a traceback."""
    fields["message"] += ' File "/srv/app/main.py", line 12, in post'


@layer("infer@1", "HTTP-16", shows="http-500")
def token_is_shown(request: Request, server: Server) -> Response:
    """The message quotes the request's headers."""
    response = server(request)
    if response.status >= 400:
        fields = response.fields
        quoted = json.dumps(request.headers)
        response.send({**fields, "message": f"{fields['message']} {quoted}"})
    return response
