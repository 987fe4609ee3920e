"""What goes wrong at every endpoint."""

import json
from urllib.parse import parse_qsl

from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import (
    all_but,
    answers,
    everywhere,
    failures,
    layer,
)

JSON = "application/json"


def fail(answer: Answer, status: int) -> None:
    """The same failure under another status."""
    answer.status = status
    answer.send({**answer.fields, "status_code": status})


@everywhere("embed@1", "HTTP-01", "HTTP-05", "HTTP-06", "HTTP-09", "HTTP-14", "HTTP-15", "HTTP-22", "EMBED-13", "EMBED-14", "EMBED-15", "HTTP-25", shows="http-500")  # fmt: skip
def failures_are_200(answer: Answer) -> None:
    """An error comes inside a 200."""
    answer.status = 200


@layer("batch@1", *all_but("batch@1", "BATCH-02", "BATCH-03", "BATCH-04", "BATCH-05", "HTTP-03", "HTTP-04", "HTTP-07", "HTTP-19", "HTTP-21"))  # fmt: skip
def posts_are_redirected(request: Request, server: Ask) -> Answer:
    """The path gets its slash by a redirect."""
    answer = server(request)
    if not request.path.endswith("/"):
        answer.status = 308
        answer.headers["location"] = f"{request.path}/"
    return answer


@everywhere("infer@0", "HTTP-03")
def score_is_nan(answer: Answer) -> None:
    """A number that does not exist is written as NaN."""
    answer.send({**answer.fields, "score": float("nan")})


@everywhere("embed@0", "HTTP-03")
def json_has_a_mark(answer: Answer) -> None:
    """A JSON body begins with a byte order mark."""
    answer.send_bytes(b"\xef\xbb\xbf" + answer.body)


@everywhere("health@0", "HTTP-04")
def json_is_plain_text(answer: Answer) -> None:
    """JSON is labelled as text/plain."""
    answer.headers["content-type"] = "text/plain"


@everywhere("batch@0", "HTTP-21")
def length_is_wrong(answer: Answer) -> None:
    """Content-Length promises more than there is."""
    answer.headers["content-length"] = str(len(answer.body) + 7)
    answer.headers["connection"] = "close"


@answers("health@0", "HTTP-25")
def version_is_a_number(fields: Json) -> None:
    """`version` is a number."""
    fields["version"] = 1


@layer("infer@1", "HTTP-05")
def malformed_json_is_a_500(request: Request, server: Ask) -> Answer:
    """Malformed JSON is a server error."""
    answer = server(request)
    if request.body in (b"{", b'{"model_id": '):
        fail(answer, 500)
    return answer


@layer("infer@1", "HTTP-06")
def arrays_are_a_500(request: Request, server: Ask) -> Answer:
    """A body that is an array is a server error."""
    answer = server(request)
    if request.body.startswith(b"["):
        fail(answer, 500)
    return answer


@layer("embed@1", "HTTP-07")
def nesting_is_a_500(request: Request, server: Ask) -> Answer:
    """The JSON parser runs out of stack."""
    answer = server(request)
    if b"[" * 1000 in request.body:
        fail(answer, 500)
    return answer


@layer("embed@1", "HTTP-07")
def half_a_character_is_a_500(request: Request, server: Ask) -> Answer:
    """Text that cannot be encoded is a server error."""
    answer = server(request)
    if b"a lone \\ud800" in request.body:
        fail(answer, 500)
    return answer


@layer("embed@1", "HTTP-08")
def unknown_fields_are_refused(request: Request, server: Ask) -> Answer:
    """A field that the server does not know is refused."""
    if request.fields.keys() - {"model_id", "input"}:
        request.send({})
    return server(request)


@layer("embed@1", "HTTP-14")
def other_methods_are_not_found(request: Request, server: Ask) -> Answer:
    """Another method than the endpoint's is a 404."""
    answer = server(request)
    if answer.status == 405:
        fail(answer, 404)
    return answer


@everywhere("embed@1", "HTTP-14")
def allow_is_missing(answer: Answer) -> None:
    """A 405 does not say what is allowed."""
    answer.headers.pop("allow", None)


@everywhere("embed@1", "HTTP-15")
def unknown_path_is_a_400(answer: Answer) -> None:
    """A path that does not exist is a 400."""
    if answer.status == 404:
        fail(answer, 400)


@everywhere("embed@1", "HTTP-15")
def unknown_path_is_a_page(answer: Answer) -> None:
    """A path that does not exist is answered with a web page."""
    if answer.status == 404:
        answer.send_bytes(b"<h1>Not found</h1>")


@layer("embed@1", "HTTP-18")
def content_type_is_read_strictly(request: Request, server: Ask) -> Answer:
    """Only the very words application/json are JSON."""
    if request.headers.get("content-type") != JSON:
        request.headers["content-type"] = "text/plain"
    return server(request)


@layer("embed@1", "HTTP-19")
def slash_is_not_found(request: Request, server: Ask) -> Answer:
    """A slash at the end makes another path."""
    if request.path.endswith("/"):
        request.path += "nothing"
    return server(request)


@layer("embed@1", "HTTP-22")
def forms_are_read(request: Request, server: Ask) -> Answer:
    """A form counts as JSON."""
    if "form" in request.headers.get("content-type", ""):
        request.headers["content-type"] = JSON
        request.send(dict(parse_qsl(request.body.decode())))
    return server(request)


@layer("embed@1", "HTTP-23")
def chunks_are_not_read(request: Request, server: Ask) -> Answer:
    """A body without Content-Length counts as empty."""
    if "transfer-encoding" in request.headers:
        request.body = b""
    return server(request)


@failures("infer@1", "HTTP-16")
def traceback_is_shown(fields: Json) -> None:
    """The message ends with a traceback."""
    fields["message"] += ' File "/srv/app/main.py", line 12, in post'


@layer("infer@1", "HTTP-16", shows="http-500")
def token_is_shown(request: Request, server: Ask) -> Answer:
    """The message quotes the request's headers."""
    answer = server(request)
    if answer.status >= 400:
        fields = answer.fields
        quoted = json.dumps(request.headers)
        answer.send({**fields, "message": f"{fields['message']} {quoted}"})
    return answer
