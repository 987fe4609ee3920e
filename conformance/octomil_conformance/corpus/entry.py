"""An entry of the corpus: one answer, and the requirements that it breaks. Also the parts of answers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from octomil_conformance import spec
from octomil_conformance.exchange import Chunk, End, Exchange, Headers, Json, Request
from octomil_conformance.recordings.recording import request_for

MODEL, EMBEDDER = "phi-4-mini", "nomic-embed-text"
MESSAGES = [{"role": "user", "content": "Name a fruit."}]


def asked_batch(*texts: str) -> Json:
    return {"model_id": MODEL, "inputs": [{"input_data": text} for text in texts]}


def asked_embed(text: Any) -> Json:
    return {"model_id": EMBEDDER, "input": text}


ASKED: Json = {
    "infer": {"model_id": MODEL, "messages": MESSAGES},
    "stream": {"model_id": MODEL, "messages": MESSAGES},
    "batch": asked_batch("Name a fruit.", "Name a tree."),
    "embed": asked_embed(["a cherry", "a plum"]),
    "health": None,
}
"""The body of the request, unless an entry has another one."""

EVENTS: Headers = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Transfer-Encoding", "chunked"),
)
JSON: Headers = (("Content-Type", "application/json"),)

ARRIVED = 0.25
"""Seconds from the request to the body. Every transfer ends at that time, except one that lingers."""


@dataclass(frozen=True)
class Entry:
    name: str
    breaks: tuple[str, ...]
    """The requirements that the answer breaks, both MUST and SHOULD; empty if it is valid."""
    about: str
    """A sentence that says which freedom it uses, or what is wrong with it."""
    exchange: Exchange

    @property
    def endpoint(self) -> str:
        return self.exchange.request.profile or ""

    @property
    def file(self) -> str:
        """Its path in the corpus."""
        kind = "sse" if self.is_stream else "json"
        side = "invalid" if self.breaks else "valid"
        return f"{side}/{self.endpoint}/{self.name}.{kind}"

    @property
    def is_stream(self) -> bool:
        return self.endpoint == "stream" and not self.is_failure

    @property
    def is_failure(self) -> bool:
        """True if the server refused the request or could not serve it."""
        return self.exchange.status >= 400 and self.endpoint != "health"

    @property
    def force(self) -> str | None:
        """MUST: a client may fail on it. SHOULD: every client is expected to read it. None: it is valid."""
        forces = {spec.requirements()[name].force for name in self.breaks}
        return min(forces, default=None)


@dataclass(frozen=True)
class Answer:
    value: object
    """JSON, or bytes."""
    status: int = 200
    headers: Headers | None = None
    """None for the headers of a good answer."""
    end: End = "complete"
    seconds: float = ARRIVED
    asked: Any = None
    """The body of the request; None for the usual one."""


def entries(endpoint: str, answers: Mapping[str, object]) -> tuple[Entry, ...]:
    """Entries by their headings: `name: sentence`, or `name [ids]: sentence` if the answer breaks requirements."""
    found = []
    for heading, answer in answers.items():
        name, about = heading.split(": ", 1)
        name, _, breaks = name.removesuffix("]").partition(" [")
        found.append(entry(endpoint, name, breaks.split(), about, answer))
    return tuple(found)


def entry(
    endpoint: str, name: str, breaks: Iterable[str], about: str, answer: object
) -> Entry:
    """`answer` is an Answer, or its value if nothing else is unusual."""
    given = answer if isinstance(answer, Answer) else Answer(answer)
    value = given.value
    body = value if isinstance(value, bytes) else written(value)
    headers = given.headers
    if headers is None:
        is_stream = endpoint == "stream" and given.status < 400
        headers = EVENTS if is_stream else (*JSON, ("Content-Length", str(len(body))))
    exchange = Exchange(
        request(endpoint, given.asked),
        given.status,
        headers,
        (Chunk(ARRIVED, body),),
        given.end,
        given.seconds,
    )
    return Entry(name, tuple(breaks), about, exchange)


def request(endpoint: str, asked: Any = None) -> Request:
    body = asked or ASKED[endpoint]
    return request_for(endpoint, written(body) if body else b"")


def written(value: object) -> bytes:
    """The value as ASCII JSON on one line."""
    return json.dumps(value).encode()


def raw(value: object) -> bytes:
    """The value as JSON without escapes."""
    return json.dumps(value, ensure_ascii=False).encode()


def without(value: Json, *names: str) -> Json:
    return {name: value[name] for name in value if name not in names}


# Single answers

TWO = [[0.1, 0.2, 0.3], [-0.4, 0.5, 0.0625]]
USAGE = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}
RETRYABLE = ("rate_limited", "request_timeout", "inference_failed", "server_error")


def infer(output: Any = "A cherry.", **more: Any) -> Json:
    fields = {"latency_ms": 812.4, "provider": "ollama", "model_id": MODEL}
    return {"output": output, **fields, **more}


def item(index: Any, vector: Any) -> Json:
    return {"object": "embedding", "index": index, "embedding": vector}


def embed(vectors: list[Any] | None = None, **more: Any) -> Json:
    given = TWO if vectors is None else vectors
    return {
        "object": "list",
        "data": [item(index, vector) for index, vector in enumerate(given)],
        "embeddings": given,
        "model": EMBEDDER,
        "provider": "ollama",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
        **more,
    }


def failure(status: int, error: str, code: str, **more: Any) -> Json:
    return {
        "error": error,
        "message": f"This is the message of a {status}.",
        "status_code": status,
        "code": code,
        "retryable": code in RETRYABLE,
        **more,
    }


def failed(status: int, error: str, code: str, **more: Any) -> Answer:
    return Answer(failure(status, error, code, **more), status)


GONE = {"error": failure(504, "gateway_timeout", "request_timeout")}
"""The result of an input that failed."""


def batch(*results: Json, **more: Any) -> Json:
    failed = sum("error" in result for result in results)
    placed = [{"index": index, **result} for index, result in enumerate(results)]
    counts = {"succeeded": len(results) - failed, "failed": failed}
    fields = {"model_id": MODEL, "latency_ms": 1630.2}
    return {**fields, "results": placed, **counts, **more}


def health(status: str, *backends: str, **more: Any) -> Json:
    """A report with these statuses of the first and the second backend."""
    listed = [
        {"provider": provider, "status": each}
        for provider, each in zip(("ollama", "openai"), backends, strict=False)
    ]
    usable = [each["provider"] for each in listed if each["status"] == "ok"]
    provider = next(iter(usable), None)
    return {"status": status, "provider": provider, "backends": listed, **more}


# Streams

WORDS = ("A", " ripe", " cherry", ".")


def frame(value: object) -> bytes:
    return b"data: " + written(value) + b"\n\n"


def fields(token: str, **more: Any) -> Json:
    return {"token": token, "done": False, "provider": "ollama", **more}


def token(text: str, **more: Any) -> bytes:
    return frame(fields(text, **more))


def ending(**more: Any) -> Json:
    end = {"done": True, "latency_ms": 812.4, "session_id": "9b2f"}
    return {**fields(""), **end, **more}


def final(**more: Any) -> bytes:
    return frame(ending(**more))


def stream(*texts: str) -> bytes:
    return b"".join([*map(token, texts or WORDS), final()])
