"""An exchange as plain data, in one line, and as the curl line that repeats it."""

import shlex
from collections.abc import Iterable
from typing import Any

from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.scenarios import scenario_of
from octomil_conformance.exchange import Exchange, Headers, Request, field
from octomil_conformance.expect import shown
from octomil_conformance.report.redact import MASK, redact, redact_pieces
from octomil_conformance.report.words import plural

SECRET_HEADERS = ("authorization", "x-api-key")
COOKIES = ("cookie", "set-cookie")
OURS = ("accept", "accept-encoding", "content-length", "user-agent", *SECRET_HEADERS)
METHODS = {"GET": "", "HEAD": " --head"}
"""curl's option for a method, if `-X METHOD` is unnecessary or wrong."""
HALF = 5000
"""Characters of the beginning and of the end of a long text. The text between them is left out."""
CURL_BODY = 4000
"""The most characters of a body in a line to paste."""


class Texts:
    """Bodies and pieces of bodies, each once, without the token."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self._places.setdefault(self._shortened(text), len(self._places))

    def places(self, pieces: Iterable[bytes]) -> list[int]:
        masked = redact_pieces([*pieces], self._token)
        return [self.place(each.decode("utf-8", "backslashreplace")) for each in masked]

    def all(self) -> list[str]:
        return list(self._places)

    def _shortened(self, text: str) -> str:
        masked = redact(text, self._token)
        left_out = len(masked) - 2 * HALF
        if left_out <= 0:
            return masked
        note = f"[… {left_out} characters are left out …]"
        return masked[:HALF] + note + masked[-HALF:]


def transcript(exchange: Exchange, texts: Texts) -> dict[str, Any]:
    """The exchange as plain data. Its bodies are indexes into the texts."""
    request = exchange.request
    places = texts.places(chunk.data for chunk in exchange.chunks)
    return {
        "request": {
            "method": request.method,
            "url": request.url,
            "headers": [list(pair) for pair in shown_headers(request.headers)],
            "body": texts.place(request.body.decode("utf-8", "replace")),
        },
        "status": exchange.status,
        "headers": [list(pair) for pair in shown_headers(exchange.headers)],
        "chunks": [
            [chunk.at, place]
            for chunk, place in zip(exchange.chunks, places, strict=True)
        ],
        "end": exchange.end,
        "seconds": exchange.seconds,
        "problem": exchange.problem,
    }


def shown_headers(headers: Headers) -> Headers:
    """The headers without tokens and cookies."""
    secret = (*SECRET_HEADERS, *COOKIES)
    return tuple(
        (name, MASK if name.lower() in secret else value) for name, value in headers
    )


def curl(exchange: Exchange) -> str:
    """The command that repeats the request, with `$TOKEN` for the token. If it needs more, a comment on a second line says what.

    For a recording it is the command that judges the recording again.
    """
    request = exchange.request
    if request.file:
        return f"octomil-conformance fixtures {shlex.quote(request.file)}"
    method = METHODS.get(request.method, f" -X {request.method}")
    words = [f"curl -N{method} {shlex.quote(request.url)}"]
    for name, value in request.headers:
        if name.lower() in SECRET_HEADERS:
            words.append(f'-H "{name}: {_token_as_variable(value)}"')
        elif name.lower() not in OURS:
            words.append(f"-H {shlex.quote(f'{name}: {value}')}")
    body = _without_chunks(request).decode("utf-8", "replace")
    if len(body) > CURL_BODY:
        words.append(f"-d '…' # {len(body)} characters, see --json")
    elif body:
        words.append(f"-d {shlex.quote(body)}")
    needs = f"\n# needs {request.needs}" if request.needs else ""
    return " ".join(words) + needs


def _without_chunks(request: Request) -> bytes:
    """The body without chunked transfer coding, which curl adds again because of the header."""
    if ("Transfer-Encoding", "chunked") not in request.headers:
        return request.body
    content, rest = b"", request.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        content, rest = content + rest[:length], rest[length + 2 :]
    return content


def _token_as_variable(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} $TOKEN" if space else "$TOKEN"


def played(exchange: Exchange) -> str:
    """What each upstream of the suite does for the model of the request; empty if it answers as usual."""
    model = str(field(exchange.request.fields, "model_id"))
    found = {name: scenario_of(model, name) for name in BOTH}
    lines = [f"{name}: {each.sentence}" for name, each in found.items() if each]
    is_usual = {each and each.name for each in found.values()} == {"echo"}
    return "" if is_usual else "\n".join(lines)


def seen(exchange: Exchange) -> str:
    """The response in one line."""
    if not exchange.status:
        return exchange.problem
    if exchange.request.file:
        problem = f" ({exchange.problem})" if exchange.problem else ""
        return f"{exchange.request.file}: {exchange.status}, {len(exchange.body)} bytes, end: {exchange.end}{problem}"
    message = exchange.field("message") if exchange.status >= 400 else ""
    said = f' "{shown(message)}"' if isinstance(message, str) and message else ""
    last = f", the last at +{exchange.chunks[-1].at:.3f} s" if exchange.chunks else ""
    pieces = plural(len(exchange.chunks), "piece")
    return f"{exchange.status}{said}, {pieces}{last}, end: {exchange.end} after {exchange.seconds:.3f} s"
