"""Shared by many tests: validated requests, the app with a client, answers of upstreams, and scripted upstreams."""

import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import falcon.testing
import pytest
import responses
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import raw
from octomil_conformance.backend.upstream import Script, Upstream

from octomil_ref.app import create_app
from octomil_ref.backends import Backend
from octomil_ref.backends.http import Upstream as HttpUpstream
from octomil_ref.errors import BadRequest
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Message
from octomil_ref.records import AccessRecord
from octomil_ref.settings import Settings

WAIT = 20
"""Seconds after which a stuck test fails; no test depends on its length."""

INFERENCE = "/api/v1/inference"
STREAM = "/api/v1/inference/stream"
BATCH = "/api/v1/inference/batch"
EMBEDDINGS = "/api/v1/embeddings"
HEALTH = "/api/v1/inference/health"

OLLAMA = "http://ollama.test:11434"
OPENAI = "http://openai.test/v1"
TOKEN = "a-client-token"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}

SETTINGS = Settings(
    ollama_base_url=OLLAMA,
    openai_api_endpoint=OPENAI,
    openai_api_key="upstream-key",
    api_keys=(TOKEN,),
    page=False,  # most of the time in which an application is made
)
ASK = {"model_id": "m", "messages": [{"role": "user", "content": "Hi"}]}
"""The smallest body of `/inference` and `/inference/stream`."""


def app_client(**settings: object) -> falcon.testing.TestClient:
    """A client with a token, of the app with both backends unless `settings` say otherwise."""
    app = create_app(replace(SETTINGS, **settings))
    return falcon.testing.TestClient(app, headers=AUTHORIZED)


def stranger(**settings: object) -> falcon.testing.TestClient:
    """A client without a token, of the same app as `app_client`."""
    return falcon.testing.TestClient(app_client(**settings).app)


def open_body(client: falcon.testing.TestClient, path: str, body: object):
    """The body of a response as a WSGI server gets it. The test iterates and closes it."""
    environ = falcon.testing.create_environ(
        path,
        method="POST",
        body=json.dumps(body),
        headers={**AUTHORIZED, "Content-Type": "application/json"},
    )
    return client.app(environ, falcon.testing.StartResponseMock())


def complaint(parse, *arguments: object, **fields: object) -> str:
    """The message of the BadRequest that `parse` raises."""
    with pytest.raises(BadRequest) as caught:
        parse(*arguments, **fields)
    assert caught.value.message.startswith("Validation failed: ")
    return caught.value.message


def asking(text: str = "Hi", **parameters: object) -> CompletionRequest:
    return CompletionRequest("m", (Message("user", text),), parameters)


def new_record() -> AccessRecord:
    return AccessRecord("id-1", "POST", "/api/v1/inference")


def embedding(*texts: str) -> EmbeddingsRequest:
    return EmbeddingsRequest("m", texts)


def ollama_chat(content: str = "Cherry", **fields: object) -> dict[str, object]:
    """A whole answer of `/api/chat`, and the last line of a streamed one."""
    message = {"role": "assistant", "content": content}
    return {"model": "m", "message": message, "done": True, **fields}


def ollama_line(content: str, **message: object) -> dict[str, object]:
    """One line of a streamed chat that goes on."""
    message = {"role": "assistant", "content": content, **message}
    return {"message": message, "done": False}


def ollama_streams(*tokens: str, **ending: object) -> None:
    """Mocks a stream of Ollama, with these fields in its last line."""
    lines = [ollama_line(token) for token in tokens]
    body = ndjson(*lines, ollama_chat("", **ending))
    responses.post(f"{OLLAMA}/api/chat", body=body)


def encoded(body: object) -> bytes:
    """A body: text as it is, and anything else as JSON."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def sent(call: int = -1) -> dict:
    """The body of a request to a mocked upstream, by default of the last one."""
    return json.loads(responses.calls[call].request.body)


def ndjson(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def openai_chat(content: str | None = "Cherry", **fields: object) -> dict[str, object]:
    """A whole answer of `/chat/completions`."""
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": "stop"}], **fields}


def openai_chunk(finish_reason: str | None = None, **delta: object) -> dict:
    """One chunk of a streamed chat."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def sse(*chunks: object) -> bytes:
    """Chunks as events. A string is sent as it is, such as `[DONE]`."""
    return b"".join(
        b"data: %b\n\n" % (c if isinstance(c, str) else json.dumps(c)).encode()
        for c in chunks
    )


class _Pieces(io.RawIOBase):
    def __init__(self, pieces: tuple[bytes | Exception | Callable[[], object], ...]):
        self._pieces = iter(pieces)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = next(self._pieces, b"")
        while callable(piece):
            piece()
            piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        buffer[: len(piece)] = piece
        return len(piece)


def arriving(*pieces: bytes | Exception | Callable[[], object]) -> io.BufferedReader:
    """A body for `responses` that arrives in pieces: reading gives bytes, raises an exception or calls a function."""
    return io.BufferedReader(_Pieces(pieces))


def pieces_of(backend: Backend, url: str, *arrives: object) -> list[object]:
    """All pieces of a stream that arrives from this URL in these parts."""
    responses.post(url, body=arriving(*arrives))
    with closing(backend.stream(asking())) as stream:
        return [piece for together in stream for piece in together]


class Clock:
    """Stands for the `time` module. It moves only when a test advances it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def scripted(*scripts: Script) -> Upstream:
    """An upstream that answers by these scripts in turn, whatever the path. A `with` block closes it."""
    upstream = Upstream()
    upstream.on("*", *scripts)
    return upstream


def keeping(data: bytes) -> Script:
    """Sends a response and keeps the connection."""
    return raw(data, end=Response.complete)


def connections(upstream: Upstream) -> list[int]:
    """The number of the connection on which each request came."""
    return [request.connection_id for request in upstream.requests]


def plain(body: bytes, status: str = "200 OK") -> bytes:
    """A response with a length, after which the connection stays open."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status.encode(),
        len(body),
        body,
    )


def chunked(*pieces: bytes) -> bytes:
    """A response in chunks, without its last chunk."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(map(chunk, pieces))


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


END_OF_CHUNKS = b"0\r\n\r\n"


def upstream(url: str, timeout: float = 20, **headers: str) -> HttpUpstream:
    """The server's side of its connections to an upstream."""
    return HttpUpstream("openai", url, headers, timeout)
