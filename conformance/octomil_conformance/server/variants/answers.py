"""Freedoms of single answers, failures and headers."""

import gzip
import json
import random
import string

from octomil_conformance.server.layers import (
    Json,
    Request,
    Response,
    Server,
    frames,
    on_json,
)
from octomil_conformance.server.variants import ALL, ANSWERS, variant


@variant(ANSWERS)
def gzipped(request: Request, server: Server) -> Response:
    """Answers are compressed for clients that accept gzip."""
    response = server(request)
    if not response.is_stream and "gzip" in request.headers.get("accept-encoding", ""):
        response.send_bytes(gzip.compress(response.body))
        response.headers["content-encoding"] = "gzip"
    return response


@variant(ANSWERS)
def chunked(request: Request, server: Server) -> Response:
    """Single answers come in chunks, without a Content-Length."""
    response = server(request)
    response.headers.pop("content-length", None)
    body = response.body
    response.pieces = [body[:9], body[9:]]
    return response


@variant(ALL)
def header_case(request: Request, server: Server) -> Response:
    """Header names are written in capitals."""
    response = server(request)
    response.headers = {name.upper(): value for name, value in response.headers.items()}
    return response


@variant(ANSWERS)
def spaced_json(request: Request, server: Server) -> Response:
    """JSON is indented, with letters that are not escaped and a line end after it; its content type has a charset."""
    response = server(request)
    if response.body:
        text = json.dumps(response.fields, ensure_ascii=False, indent=2)
        response.send_bytes(f"\n{text}\n".encode())
        response.headers["content-type"] = "Application/JSON; charset=utf-8"
    return response


@variant(ANSWERS, on_json)
def other_order(fields: Json) -> Json:
    """The fields are in another order."""
    names = sorted(fields, key=lambda name: name[::-1], reverse=True)
    return {name: fields[name] for name in names}


@variant(ANSWERS, on_json)
def more_fields(fields: Json) -> None:
    """Answers and failures have unknown fields."""
    fields.update(object="list", created=1700000000, trace={"spans": [1, 2.5, None]})


@variant(ANSWERS, on_json)
def whole_milliseconds(fields: Json) -> None:
    """`latency_ms` is an integer, also in a batch."""
    for each in (fields, *fields.get("results", ())):
        if "latency_ms" in each:
            each["latency_ms"] = int(each["latency_ms"])


@variant(ANSWERS, on_json)
def zero_milliseconds(fields: Json) -> None:
    """`latency_ms` is 0."""
    for each in (fields, *fields.get("results", ())):
        if "latency_ms" in each:
            each["latency_ms"] = 0


@variant({"infer": 2, "batch": 2}, on_json)
def fewer_fields(fields: Json) -> None:
    """Optional fields are left out."""
    fields.pop("usage", None)
    for result in fields.get("results", ()):
        for name in ("usage", "model_id", "finish_reason"):
            result.pop(name, None)


@variant({"infer": 2, "batch": 2}, on_json)
def null_fields(fields: Json) -> None:
    """Optional fields are null."""
    fields["usage"] = None


@variant({"embed": 2}, on_json)
def bare_vectors(fields: Json) -> None:
    """The items of `data` have only their vector."""
    for item in fields.get("data", ()):
        del item["object"], item["index"]


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def refuses_with_422(request: Request, server: Server) -> Response:
    """Invalid requests are answered with 422."""
    response = server(request)
    if response.status == 400:
        response.status = 422
        response.send(
            {**response.fields, "error": "validation_error", "status_code": 422}
        )
    return response


@variant({"infer": 2, "stream": 2, "embed": 2})
def gateway_is_503(request: Request, server: Server) -> Response:
    """Every failure of an upstream is answered with 503."""
    response = server(request)
    if response.status in (502, 504):
        response.status = 503
        response.send({**response.fields, "error": "service_unavailable", "status_code": 503})  # fmt: skip
    return response


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def other_labels(request: Request, server: Server) -> Response:
    """The providers have other names."""
    response = server(request)
    if response.status == 200 and not response.is_stream:
        text = response.body.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"')  # fmt: skip
        response.send_bytes(text)
    elif response.is_stream:
        pieces = response.pieces
        response.pieces = (piece.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"') for piece in frames(pieces))  # fmt: skip
    return response


@variant({"infer": 1}, on_json)
def structured_output(fields: Json) -> None:
    """`output` is an object."""
    if "output" in fields:
        fields["output"] = {"label": fields["output"], "scores": [0.1, 0.9]}


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "health": 1, "auth": 1})
def long_request_ids(request: Request, server: Server) -> Response:
    """Request ids have other characters than hexadecimal ones, unless the client gave one."""
    letters = random.choices(string.ascii_letters, k=40)
    request.headers.setdefault("x-request-id", f"req_{''.join(letters)}")
    return server(request)


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "auth": 1})
def other_challenge(request: Request, server: Server) -> Response:
    """The WWW-Authenticate of a 401 has bearer in lower case, and a realm."""
    response = server(request)
    if response.status == 401:
        response.headers["www-authenticate"] = 'bearer realm="octomil", charset="UTF-8"'
    return response
