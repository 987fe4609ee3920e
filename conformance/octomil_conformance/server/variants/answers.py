"""Single answers, failures and headers in other clothes."""

import gzip
import json
import random
import string

from octomil_conformance.server.frames import frames
from octomil_conformance.server.layers import Answer, Ask, Json, Request, on_json
from octomil_conformance.server.variants import ALL, ANSWERS, variant


@variant(ANSWERS)
def gzipped(request: Request, server: Ask) -> Answer:
    """Answers are compressed for clients that say they can read it."""
    answer = server(request)
    if not answer.is_stream and "gzip" in request.headers.get("accept-encoding", ""):
        answer.send_bytes(gzip.compress(answer.body))
        answer.headers["content-encoding"] = "gzip"
    return answer


@variant(ANSWERS)
def chunked(request: Request, server: Ask) -> Answer:
    """Single answers come in chunks, without a Content-Length."""
    answer = server(request)
    answer.headers.pop("content-length", None)
    body = answer.body
    answer.pieces = [body[:9], body[9:]]
    return answer


@variant(ALL)
def header_case(request: Request, server: Ask) -> Answer:
    """Header names are written in capitals."""
    answer = server(request)
    answer.headers = {name.upper(): value for name, value in answer.headers.items()}
    return answer


@variant(ANSWERS)
def spaced_json(request: Request, server: Ask) -> Answer:
    """JSON is indented, with raw letters and a line end after it; its type has a charset."""
    answer = server(request)
    if answer.body:
        text = json.dumps(answer.fields, ensure_ascii=False, indent=2)
        answer.send_bytes(f"\n{text}\n".encode())
        answer.headers["content-type"] = "Application/JSON; charset=utf-8"
    return answer


@variant(ANSWERS, on_json)
def other_order(fields: Json) -> Json:
    """Names stand in another order."""
    names = sorted(fields, key=lambda name: name[::-1], reverse=True)
    return {name: fields[name] for name in names}


@variant(ANSWERS, on_json)
def more_fields(fields: Json) -> None:
    """Answers and failures have fields that no one knows."""
    fields.update(object="list", created=1700000000, trace={"spans": [1, 2.5, None]})


@variant(ANSWERS, on_json)
def whole_milliseconds(fields: Json) -> None:
    """`latency_ms` is an integer, in a batch too."""
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
    """What may be left out is left out."""
    fields.pop("usage", None)
    for result in fields.get("results", ()):
        for name in ("usage", "model_id", "finish_reason"):
            result.pop(name, None)


@variant({"infer": 2, "batch": 2}, on_json)
def null_fields(fields: Json) -> None:
    """What may be left out is null."""
    fields["usage"] = None


@variant({"embed": 2}, on_json)
def bare_vectors(fields: Json) -> None:
    """The items of `data` are nothing but vectors."""
    for item in fields.get("data", ()):
        del item["object"], item["index"]


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def refuses_with_422(request: Request, server: Ask) -> Answer:
    """What is wrong with a request is a 422."""
    answer = server(request)
    if answer.status == 400:
        answer.status = 422
        answer.send({**answer.fields, "error": "validation_error", "status_code": 422})
    return answer


@variant({"infer": 2, "stream": 2, "embed": 2})
def gateway_is_503(request: Request, server: Ask) -> Answer:
    """Whatever upstreams do wrong is a 503."""
    answer = server(request)
    if answer.status in (502, 504):
        answer.status = 503
        answer.send({**answer.fields, "error": "service_unavailable", "status_code": 503})  # fmt: skip
    return answer


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def other_labels(request: Request, server: Ask) -> Answer:
    """Providers have labels of the server's own."""
    answer = server(request)
    if answer.status == 200 and not answer.is_stream:
        text = answer.body.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"')  # fmt: skip
        answer.send_bytes(text)
    elif answer.is_stream:
        pieces = answer.pieces
        answer.pieces = (piece.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"') for piece in frames(pieces))  # fmt: skip
    return answer


@variant({"infer": 1}, on_json)
def structured_output(fields: Json) -> None:
    """`output` is an object."""
    if "output" in fields:
        fields["output"] = {"label": fields["output"], "scores": [0.1, 0.9]}


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "health": 1, "auth": 1})
def long_request_ids(request: Request, server: Ask) -> Answer:
    """Each answer has a request id with other characters than hexadecimal ones, unless the client gave one."""
    letters = random.choices(string.ascii_letters, k=40)
    request.headers.setdefault("x-request-id", f"req_{''.join(letters)}")
    return server(request)


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "auth": 1})
def other_challenge(request: Request, server: Ask) -> Answer:
    """A 401 asks for bearer in small letters, with a realm."""
    answer = server(request)
    if answer.status == 401:
        answer.headers["www-authenticate"] = 'bearer realm="octomil", charset="UTF-8"'
    return answer
