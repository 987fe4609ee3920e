"""What one HTTP request asks of the scripted backend. Pure, but for reading the body."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from io import BufferedIOBase
from typing import Any

from octomil_conformance.backend import ollama, openai
from octomil_conformance.backend.ask import Ask, Dialect, Refused
from octomil_conformance.backend.scenario import Scenario
from octomil_conformance.backend.scenarios import scenario_named, scenario_of
from octomil_conformance.backend.witness import Call, Provider
from octomil_conformance.backend.words import Tag, find_tag

_NOTHING_ASKED = Ask("", "", None, False, None, 0)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    """The JSON value, or None."""
    tag: Tag
    ask: Ask = _NOTHING_ASKED
    scenario: Scenario | None = None
    """None: a page, or nothing that we have."""
    problem: Refused | None = None
    """Why a real server would refuse it."""

    def dialect(self) -> Dialect:
        if self.path.startswith("/api/"):
            return ollama.OllamaDialect(self.ask)
        return openai.OpenAIDialect(self.ask)

    def call(self, backend: Provider) -> Call:
        """As the witness is to record it."""
        return Call(
            number=0,
            nonce=self.tag.nonce,
            backend=backend,
            method=self.method,
            path=self.path,
            headers=self.headers,
            body=self.body,
            model=self.ask.model,
            stream=self.ask.stream,
            scenario=self.scenario.name if self.scenario else "",
            arrived=0.0,
        )


def understand(
    method: str, path: str, headers: Mapping[str, str], body: bytes, backend: Provider
) -> Request:
    tag = find_tag(body.decode("utf-8", "replace"))
    value = _json(body)
    read = _reader(path) if method == "POST" else None
    if read is None:
        return Request(method, path, headers, value, tag)
    try:
        ask = read(_object(value))
    except Refused as ex:
        return Request(method, path, headers, value, tag, problem=ex)
    scenario = scenario_of(ask.model, backend)
    if scenario and tag.scenario:
        scenario = scenario_named(tag.scenario)
    missing = Refused(404, f'model "{ask.model}" not found, try pulling it first')
    problem = None if scenario else missing
    return Request(method, path, headers, value, tag, ask, scenario, problem)


def read_body(headers: "Message[str, str]", stream: BufferedIOBase) -> bytes:
    """The body, whether it has a length or comes in chunks. Raises ValueError for broken framing."""
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return _chunks(stream)
    return stream.read(int(headers.get("Content-Length", "0")))


def _chunks(stream: BufferedIOBase) -> bytes:
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass  # trailers
    return body


def _reader(path: str) -> Callable[[Mapping[str, Any]], Ask] | None:
    if path == "/api/chat":
        return ollama.read_chat
    if path == "/api/embed":
        return ollama.read_embed
    if path.startswith("/api/"):
        return None
    if path.endswith("/chat/completions"):
        return openai.read_chat
    return openai.read_embed if path.endswith("/embeddings") else None


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, "the body must be a JSON object")
    return value


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
