"""Freedoms of single answers, failures and headers."""

import gzip
import json
import random
import string

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.variants import ALL, ANSWERS

LABELS = {b'"ollama"': b'"cloud"', b'"openai"': b'"triton"'}


@on.layer(ANSWERS)
def gzipped(request: Request, server: Server) -> Response:
    """Answers are compressed for clients that accept gzip."""
    response = server(request)
    if not response.is_stream and request.headers.get("accept-encoding") == "gzip":
        response.send_bytes(gzip.compress(response.body))
        response.headers["content-encoding"] = "gzip"
    return response


@on.responses(ANSWERS)
def chunked(response: Response) -> None:
    """Single answers come in chunks, without a Content-Length."""
    response.headers.pop("content-length", None)
    body = response.body
    response.pieces = [body[:9], body[9:]]


@on.replies(ANSWERS)
def unknown_methods_are_a_501(request: Request, response: Response) -> None:
    """A method that is not one of HTTP's own is answered with 501."""
    if request.method in ("PROPFIND", "PURGE"):
        response.fail(501)


@on.replies("infer@1 stream@1")
def switches_to_http_2(request: Request, response: Response) -> None:
    """An offer of `h2c` is accepted."""
    if request.headers.get("upgrade") == "h2c":
        response.status, response.pieces = 101, []
        response.headers = {"upgrade": "h2c", "connection": "upgrade"}


@on.bodies(ANSWERS)
def json_text_is_ascii(fields: Json) -> None:
    """An object without a text as `input_data` becomes JSON text with `\\u` escapes; a number that 64 bits cannot hold is null."""
    data = fields.get("input_data")
    if isinstance(data, dict) and not data.keys() & {"text", "prompt", "messages"}:
        fields["input_data"] = json.dumps(data).replace("Infinity", "null")


@on.responses(ALL)
def header_case(response: Response) -> None:
    """Header names are written in capitals."""
    response.headers = {name.upper(): value for name, value in response.headers.items()}


@on.responses(ANSWERS)
def spaced_json(response: Response) -> None:
    """JSON is indented, with letters that are not escaped and a line end after it; its content type has a charset."""
    if response.body:
        text = json.dumps(response.fields, ensure_ascii=False, indent=2)
        response.send_bytes(f"\n{text}\n".encode())
        response.headers["content-type"] = "Application/JSON; charset=utf-8"


@on.every(ANSWERS)
def other_order(fields: Json) -> Json:
    """The fields are in another order."""
    names = sorted(fields, key=lambda name: name[::-1], reverse=True)
    return {name: fields[name] for name in names}


@on.every(ANSWERS)
def more_fields(fields: Json) -> None:
    """Answers and failures have unknown fields, and a version of four numbers."""
    fields.update(object="list", created=1700000000, trace={"spans": [1, 2.5, None]})
    fields.update(version="1.2.3.4", sent="at 2026-01-03T04:05:06.789Z")


def change_latencies(fields: Json, factor: int) -> None:
    """Make every latency an integer, also in a batch."""
    for each in (fields, *fields.get("results", ())):
        if "latency_ms" in each:
            each["latency_ms"] = factor * int(each["latency_ms"])


@on.every(ANSWERS)
def whole_milliseconds(fields: Json) -> None:
    """`latency_ms` is an integer, also in a batch."""
    change_latencies(fields, 1)


@on.every("infer@1 batch@2 embed@2 health@2")
def zero_milliseconds(fields: Json) -> None:
    """`latency_ms` is 0."""
    change_latencies(fields, 0)


@on.every("infer@2 batch@2")
def fewer_fields(fields: Json) -> None:
    """Optional fields are left out."""
    fields.pop("usage", None)
    for result in fields.get("results", ()):
        for name in ("usage", "model_id", "finish_reason"):
            result.pop(name, None)


@on.every("infer@2 batch@2 health@2")
def null_fields(fields: Json) -> None:
    """Optional fields are null."""
    fields["usage"] = None
    for result in fields.get("results", ()):
        result.setdefault("error", None)
    for backend in fields.get("backends", ()):
        backend |= {"latency_ms": None, "error": None, "hint": None}


@on.every("embed@2")
def bare_vectors(fields: Json) -> None:
    """The items of `data` have only their vector."""
    for item in fields.get("data", ()):
        del item["object"], item["index"]


@on.responses("infer@2 stream@2 embed@2 batch@2")
def refuses_with_422(response: Response) -> None:
    """Invalid requests are answered with 422, with a code and a link of their own."""
    if response.status == 400:
        more = {"code": "unprocessable", "see": "https://go.example/errors.php"}
        response.fail(422, error="validation_error", **more)


@on.responses("infer@2 stream@2 embed@2")
def gateway_is_503(response: Response) -> None:
    """Every failure of an upstream is answered with 503."""
    if response.status in (502, 504):
        response.fail(503, error="service_unavailable")


@on.responses("infer@2 stream@2 embed@2 batch@2")
def other_labels(response: Response) -> None:
    """The providers have other names."""
    if response.is_stream:
        response.pieces = map(_relabelled, response.pieces)
    elif response.status == 200:
        response.send_bytes(_relabelled(response.body))


def _relabelled(data: bytes) -> bytes:
    for label, other in LABELS.items():
        data = data.replace(label, other)
    return data


@on.answers("infer@1")
def structured_output(fields: Json) -> None:
    """`output` is an object."""
    if "output" in fields:
        fields["output"] = {"label": fields["output"], "scores": [0.1, 0.9]}


@on.requests("infer@1 stream@1 batch@1 embed@1 health@1 auth@1")
def long_request_ids(request: Request) -> None:
    """Request ids have other characters than hexadecimal ones, unless the client gave one."""
    letters = random.choices(string.ascii_letters, k=40)
    request.headers.setdefault("x-request-id", f"req_{''.join(letters)}")


@on.responses("infer@1 stream@1 batch@1 embed@1 auth@1")
def other_challenge(response: Response) -> None:
    """The WWW-Authenticate of a 401 has several challenges, and bearer in lower case with a realm."""
    if response.status == 401:
        challenges = 'Basic realm="a, b", bearer realm="octomil", charset="UTF-8"'
        response.headers["www-authenticate"] = challenges


@on.responses("infer@1 batch@1 embed@1 health@1 auth@1")
def one_request_a_connection(response: Response) -> None:
    """The connection is closed after every response, and the response says so."""
    if "content-length" in response.headers:
        response.headers["connection"] = "close"


@on.layer("infer@1 batch@1 embed@1 auth@1")
def strict_about_types(request: Request, server: Server) -> Response:
    """A body without a Content-Type is refused, and OPTIONS has an answer of its own."""
    if request.method == "OPTIONS":
        return Response(200, {"allow": "POST", "content-length": "0"}, [])
    if request.method == "POST":
        request.headers.setdefault("content-type", "text/plain")
    return server(request)
