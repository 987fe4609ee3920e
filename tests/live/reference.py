"""The reference server as the tests use it: with two scripted upstreams, a client, and its log."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

import httpx
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.response import ClientLeft, Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says
from octomil_conformance.backend.upstream import ANY_PORT, MAX_WAIT, Script
from processes import ServerProcess

TOKEN = "a-token-of-the-live-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}

PROMPT = "Good morning"
ASK: dict[str, Any] = {
    "model_id": "conf-echo",
    "messages": [{"role": "user", "content": PROMPT}],
}
"""The smallest body of `/inference` and `/inference/stream`. Without a script both upstreams repeat the prompt."""

RUNNER_DIED = OLLAMA.frame(OLLAMA.error(500, "runner died", "server_error"))
"""The last line of an answer that Ollama cannot finish."""

MODEL_MAX_WAIT = 300.0
"""Seconds for an answer of a real model on a busy machine."""

UNHURRIED = {"LLM_BACKEND_TIMEOUT": f"{MODEL_MAX_WAIT:g}"}
"""The settings of a server with a real model."""

Start = Callable[..., AbstractContextManager[ServerProcess]]


class Reference:
    """One running server. It asks `ollama` first, and `openai` is the fallback. Both play their scenarios, or the scripts of a test."""

    def __init__(self, process: ServerProcess, backend: ScriptedBackend) -> None:
        self.process = process
        self.backend = backend
        self.ollama = backend.ollama
        self.openai = backend.openai
        self.url = process.url
        self.api = f"{process.url}/api/v1"
        self.port = int(process.url.rpartition(":")[2])
        self.client = client_of(process.url)
        self._heard = 0

    def start_over(self) -> None:
        """Prepares the next test: no scripts, a new client, the log from here on."""
        self.client.close()
        self.client = client_of(self.url)
        self._heard = len(self.process.lines)
        with ExitStack() as stack:
            stack.callback(self.openai.start_over)
            stack.callback(self.ollama.start_over)

    def ask(
        self, path: str = "/inference", body: object = ASK, **headers: str
    ) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)

    @contextmanager
    def stream(self, body: object = ASK, **headers: str) -> Iterator["Events"]:
        """A streamed answer that has begun. Leaving the block early closes the connection."""
        sent = self.client.stream(
            "POST", "/inference/stream", json=body, headers=headers
        )
        with sent as response:
            yield Events(response)

    @contextmanager
    def held_stream(self) -> Iterator[tuple["Events", threading.Event]]:
        """A stream whose first token has arrived. Its second token waits for the event; later streams do not wait."""
        gate = threading.Event()
        held = says("Good", " morning", gate=gate)
        self.ollama.on("/api/chat", held, says("Good", " morning"))
        with self.stream() as events:
            events.next()
            yield events, gate

    def wait_for_status(self, token: str, status: int) -> None:
        """Returns when an empty request with the token gets this status."""
        headers = {"Authorization": f"Bearer {token}"}
        for _ in range(int(MAX_WAIT / 0.05)):
            with client_of(self.url, headers) as client:
                if client.post("/inference", json={}).status_code == status:
                    return
            threading.Event().wait(0.05)
        raise TimeoutError(f"{token} never gets {status}")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), MAX_WAIT)

    def wait_until_refused(self) -> None:
        """Returns when the port is closed."""
        for _ in range(int(MAX_WAIT / 0.05)):
            try:
                self.connect().close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # it stopped listening at this moment
            threading.Event().wait(0.05)
        raise TimeoutError("the server still takes connections")

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        """All lines about a request; the last is its own. Needs OCTOMIL_LOG_FORMAT=json."""
        named = f'"request_id": "{request_id}"'
        last = self.process.wait_for_line(f'"event": "request", {named}').string
        until_last = self.process.lines[: self.process.lines.index(last) + 1]
        return [json.loads(line) for line in until_last if named in line]

    def heard(self) -> str:
        """The output of the server since the test began."""
        return "\n".join(self.process.lines[self._heard :])


Shared = Callable[..., Reference]
"""Starts a server that several test modules share: see conftest.py."""


class Events:
    """A stream of events: the next one, or all of them."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.seen: list[dict[str, Any]] = []
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any]:
        """The next event. Raises StopIteration at a complete end, and an error of httpx if the stream was cut."""
        while True:
            line = next(self._lines)
            if line.startswith("data: "):
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                self.seen.append(event)
                return event
            assert line == "" or line.startswith(":"), f"no event: {line!r}"

    def rest(self) -> list[dict[str, Any]]:
        """Reads to the end and returns all events, with those that were read before."""
        while True:
            try:
                self.next()
            except StopIteration:
                return self.seen

    def port(self) -> int:
        """The port of the client."""
        wire = self.response.extensions["network_stream"]
        port: int = wire.get_extra_info("client_addr")[1]
        return port

    def text(self) -> str:
        """The answer so far."""
        return "".join(event["token"] for event in self.seen)


@contextmanager
def reference(
    start: Start, *options: str, ollama: bool = True, openai: bool = True, **env: str
) -> Iterator[Reference]:
    """A server for the block, started by a function of `processes`, with upstreams of its own.

    It has no cooldown unless `env` sets one, so that a failure does not affect the next request.
    """
    with ExitStack() as stack:
        backend = stack.enter_context(ScriptedBackend(ANY_PORT, ANY_PORT))
        defaults = {
            "OCTOMIL_API_KEYS": TOKEN,
            "OCTOMIL_BACKEND_COOLDOWN": "0",
            "OCTOMIL_LOG_FORMAT": "json",
            "OLLAMA_BASE_URL": backend.ollama_url if ollama else "",
            "OPENAI_API_ENDPOINT": backend.openai_url if openai else "",
        }
        process = stack.enter_context(start(*options, **(defaults | env)))
        server = Reference(process, backend)
        yield server
        server.client.close()
        server.ollama.raise_errors()
        server.openai.raise_errors()


def talks_until_hangup(left: threading.Event, over: threading.Event) -> Script:
    """Sends a first token, and more tokens after `left`. Sets `over` when the server has closed the connection."""

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        response.wait(left)
        with suppress(ClientLeft):  # the server may close it while a token is sent
            while not response.wait_for_hangup(timeout=0.1):
                response.chunk(OLLAMA.token(" more"))
        over.set()

    return script


def client_of(url: str, headers: Mapping[str, str] = AUTHORIZED) -> httpx.Client:
    """A client that keeps its connections and reads nothing from the environment."""
    return httpx.Client(
        base_url=f"{url}/api/v1",
        headers=headers,
        timeout=MAX_WAIT,
        trust_env=False,
        verify=False,  # it speaks plain HTTP, and loading certificates takes time
    )


def http_request(
    path: str,
    body: bytes = b"",
    method: str = "POST",
    version: str = "1.1",
    **headers: str,
) -> bytes:
    """A request to `/api/v1` plus `path` as bytes, with a token and a length unless `headers` replace them."""
    fields = {
        "host": "localhost",
        "authorization": AUTHORIZED["Authorization"],
        "content_type": "application/json",
        "content_length": str(len(body)),
    } | headers
    lines = [f"{method} /api/v1{path} HTTP/{version}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def receive_all(connection: socket.socket) -> bytes:
    """All bytes up to the end of the connection, however it ends."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received
