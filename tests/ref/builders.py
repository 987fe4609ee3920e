"""Shared by many tests: validated requests, the app with a client, answers of upstreams, and upstreams on raw sockets."""

import io
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Self

import falcon.testing

from octomil_ref.app import create_app
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Message
from octomil_ref.records import AccessRecord
from octomil_ref.settings import Settings

OLLAMA = "http://ollama.test:11434"
OPENAI = "http://openai.test/v1"
TOKEN = "a-client-token"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}

SETTINGS = Settings(
    ollama_base_url=OLLAMA,
    openai_api_endpoint=OPENAI,
    openai_api_key="upstream-key",
    api_keys=(TOKEN,),
)
ASK = {"model_id": "m", "messages": [{"role": "user", "content": "Hi"}]}
"""The smallest body of `/inference` and `/inference/stream`."""


def app_client(**settings: object) -> falcon.testing.TestClient:
    """A client with a token, of the app with both backends unless `settings` say otherwise."""
    app = create_app(replace(SETTINGS, **settings))
    return falcon.testing.TestClient(app, headers=AUTHORIZED)


def open_body(client: falcon.testing.TestClient, path: str, body: object):
    """The body of a response as a WSGI server gets it. The test iterates and closes it."""
    environ = falcon.testing.create_environ(
        path,
        method="POST",
        body=json.dumps(body),
        headers={**AUTHORIZED, "Content-Type": "application/json"},
    )
    return client.app(environ, falcon.testing.StartResponseMock())


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
    return {"message": {"role": "assistant", "content": content, **message}} | {
        "done": False
    }


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


class Clock:
    """Stands for the `time` module. It moves only when a test advances it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


Script = Callable[[socket.socket], object]
"""What a raw upstream does on one connection, which is then closed."""


class RawUpstream:
    """A server that plays one script per connection, in order, each on its own thread. It accepts no further connections."""

    def __init__(self, *scripts: Script) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, args=(scripts,))]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *failure: object) -> None:
        for each in [self._listener, *self._open]:
            with suppress(OSError):  # some are closed
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self, scripts: tuple[Script, ...]) -> None:
        for script in scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(
                threading.Thread(target=self._play, args=(script, connection))
            )
            self._threads[-1].start()

    def _play(self, script: Script, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # clients hang up
            script(connection)


def receive(connection: socket.socket) -> bytes:
    """One whole request; empty if the client closed the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            return b""
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


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


def answering(*answers: bytes) -> Script:
    """Answers one request with each of `answers`, then receives one more and closes the connection."""

    def script(connection: socket.socket) -> None:
        for answer in answers:
            receive(connection)
            connection.sendall(answer)
        receive(connection)

    return script


def sending(answer: bytes) -> Script:
    """Answers one request and closes the connection."""

    def script(connection: socket.socket) -> None:
        receive(connection)
        connection.sendall(answer)

    return script
