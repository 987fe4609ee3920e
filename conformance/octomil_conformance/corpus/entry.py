"""One answer of the corpus: its bytes, its circumstances, and the requirements that it breaks."""

import json
from dataclasses import dataclass, field
from typing import Any

from octomil_conformance import spec
from octomil_conformance.exchange import End, Headers

MODEL = "phi-4-mini"
MESSAGES = [{"role": "user", "content": "Name a fruit."}]

ASKED: dict[str, Any] = {
    "infer": {"model_id": MODEL, "messages": MESSAGES},
    "stream": {"model_id": MODEL, "messages": MESSAGES},
    "batch": {
        "model_id": MODEL,
        "inputs": [{"input_data": "Name a fruit."}, {"input_data": "Name a tree."}],
    },
    "embed": {"model_id": "nomic-embed-text", "input": ["a cherry", "a plum"]},
    "health": None,
}
"""What was asked, where an entry says nothing else."""

EVENTS: Headers = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Transfer-Encoding", "chunked"),
)
JSON: Headers = (("Content-Type", "application/json"),)

ARRIVED = 0.25
"""Seconds after the request: when the body is there. Every transfer but one that lingers ends right then."""


@dataclass(frozen=True)
class Entry:
    name: str
    endpoint: str
    about: str
    """A sentence: which freedom it takes, or what is wrong with it."""
    body: bytes
    breaks: tuple[str, ...] = ()
    """Requirements, those that a MUST needs and those that a SHOULD wants alike; empty: it is valid."""
    status: int = 200
    headers: Headers | None = None
    """None: those of a good answer."""
    end: End = "complete"
    seconds: float = ARRIVED
    asked: Any = field(default=None)
    """The request's JSON; None: the usual one of the endpoint."""

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
        """Of a request that the server refuses, or could not serve."""
        return self.status >= 400 and self.endpoint != "health"

    @property
    def all_headers(self) -> Headers:
        if self.headers is not None:
            return self.headers
        if self.is_stream:
            return EVENTS
        return (*JSON, ("Content-Length", str(len(self.body))))

    @property
    def force(self) -> str | None:
        """MUST: a client may fail on it. SHOULD: every client is expected to read it. None: it is valid."""
        forces = {spec.requirements()[name].force for name in self.breaks}
        return min(forces, default=None)


def written(value: object) -> bytes:
    """As JSON, ASCII only, on one line."""
    return json.dumps(value).encode()


def raw(value: object) -> bytes:
    """As JSON with its letters as they are."""
    return json.dumps(value, ensure_ascii=False).encode()
