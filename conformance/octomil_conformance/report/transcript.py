"""An exchange as plain data, in one line, and as the curl line that repeats it."""

import shlex
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.config import BASE_PATH
from octomil_conformance.exchange import Exchange, Headers
from octomil_conformance.report.redact import MASK
from octomil_conformance.report.words import plural

SECRET_HEADERS = ("authorization", "x-api-key")
COOKIES = ("cookie", "set-cookie")
OURS = ("accept", "accept-encoding", "content-length", "user-agent", *SECRET_HEADERS)
CURL_BODY = 4000
"""Characters of a body that a line to paste can have."""


def transcript(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    return {
        "request": {
            "method": request.method,
            "url": request.url,
            "headers": [list(pair) for pair in shown_headers(request.headers)],
            "body": request.body.decode("utf-8", "replace"),
        },
        "status": exchange.status,
        "headers": [list(pair) for pair in shown_headers(exchange.headers)],
        "chunks": [
            {"at": chunk.at, "data": chunk.data.decode("utf-8", "backslashreplace")}
            for chunk in exchange.chunks
        ],
        "end": exchange.end,
        "seconds": exchange.seconds,
        "problem": exchange.problem,
    }


def shown_headers(headers: Headers) -> Headers:
    """Without tokens and cookies."""
    secret = (*SECRET_HEADERS, *COOKIES)
    return tuple(
        (name, MASK if name.lower() in secret else value) for name, value in headers
    )


def curl(exchange: Exchange) -> str:
    """`$URL` is the server without `/api/v1`, `$TOKEN` the token. For a recording it is the line that judges it again."""
    request = exchange.request
    if request.file:
        return f"octomil-conformance fixtures {shlex.quote(request.file)}"
    path = urlsplit(request.url).path
    words = [f"curl -N -X {request.method} $URL{path[path.find(BASE_PATH) :]}"]
    for name, value in request.headers:
        if name.lower() in SECRET_HEADERS:
            words.append(f'-H "{name}: {_token_as_variable(value)}"')
        elif name.lower() not in OURS:
            words.append(f"-H {shlex.quote(f'{name}: {value}')}")
    body = request.body.decode("utf-8", "replace")
    if len(body) > CURL_BODY:
        words.append(f"-d '…' # {len(body)} characters, see --json")
    elif body:
        words.append(f"-d {shlex.quote(body)}")
    return " ".join(words)


def _token_as_variable(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} $TOKEN" if space else "$TOKEN"


def seen(exchange: Exchange) -> str:
    """The response in one line."""
    if not exchange.status:
        return exchange.problem
    if exchange.request.file:
        return f"{exchange.request.file}: {exchange.status}, {len(exchange.body)} bytes, end: {exchange.end}"
    last = f", the last at +{exchange.chunks[-1].at:.3f} s" if exchange.chunks else ""
    chunks = plural(len(exchange.chunks), "chunk")
    return f"{exchange.status}, {chunks}{last}, end: {exchange.end} after {exchange.seconds:.3f} s"
