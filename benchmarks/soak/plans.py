"""The plan of one request of the soak. It is decided before the request is sent, so there is one right outcome. Pure.

A plan travels in the prompt. Its nonce is in every token of its answer, and its acts say what each of the two upstreams does
with it.
"""

import json
import random
from dataclasses import asdict, dataclass
from typing import Any

KINDS = {
    "single": 40,
    "stream": 34,
    "batch": 6,
    "embeddings": 10,
    "health": 4,
    "bad": 6,
}
"""Kinds of requests, and how often each occurs in a hundred."""

ACTS = {
    "good": 800,
    "drip": 20,  # good, but slowly
    "refuse": 40,  # the connection is closed without an answer
    "error": 40,  # status 500
    "limit": 30,  # status 429
    "garbage": 30,
    "cut": 35,  # in the middle of the answer
    "stall": 5,  # before the answer, for longer than any client waits
}
"""Acts of an upstream, and how often each occurs in a thousand."""

LEAVING = 0.06
"""Share of the clients that leave before they have their answer."""

STATUS = {
    "refuse": 502,
    "error": 502,
    "limit": 429,
    "garbage": 502,
    "cut": 502,
    "stall": 504,
}
"""The status of the response if the only upstream did this."""

REPORTED = (429, 502, 504)
"""If both upstreams failed, the response reports the first of these failures."""


@dataclass(frozen=True)
class Plan:
    """The plan for one prompt."""

    nonce: str
    tokens: int
    ollama: str
    openai: str

    def prompt(self) -> str:
        return json.dumps(asdict(self))

    def words(self) -> list[str]:
        return [f"{self.nonce}-{number} " for number in range(self.tokens)]

    def text(self) -> str:
        return "".join(self.words())

    def vector(self) -> list[float]:
        return [float(int(self.nonce[at : at + 4], 16)) for at in range(0, 16, 4)]

    def provider(self, committed: frozenset[str]) -> str | None:
        """The first provider with an act in `committed`; None if both fail."""
        for name in ("ollama", "openai"):
            if getattr(self, name) in committed:
                return name
        return None

    def failure(self) -> int:
        """The status of the response if both upstreams fail."""
        return min(STATUS[self.ollama], STATUS[self.openai], key=REPORTED.index)


WHOLE = frozenset({"good", "drip"})
"""Acts that end in a whole answer."""

BEGUN = frozenset({"good", "drip", "cut"})
"""Acts that send a first token, with which a stream commits."""


def read(prompt: str) -> Plan:
    fields: dict[str, Any] = json.loads(prompt)
    return Plan(**fields)


@dataclass(frozen=True)
class Request:
    kind: str
    plans: tuple[Plan, ...]
    leaves_after: int | None
    """Bytes of the answer after which the client leaves; None if it stays."""
    bad_body: str = ""

    def path(self) -> str:
        return {
            "single": "/api/v1/inference",
            "bad": "/api/v1/inference",
            "stream": "/api/v1/inference/stream",
            "batch": "/api/v1/inference/batch",
            "embeddings": "/api/v1/embeddings",
            "health": "/api/v1/inference/health",
        }[self.kind]

    def body(self) -> str:
        prompts = [plan.prompt() for plan in self.plans]
        match self.kind:
            case "health":
                return ""
            case "bad":
                return self.bad_body
            case "embeddings":
                return json.dumps({"model_id": "soak", "input": prompts})
            case "batch":
                inputs = [{"input_data": prompt} for prompt in prompts]
                fields = {"model_id": "soak", "inputs": inputs, "max_concurrency": 4}
                return json.dumps(fields)
        return json.dumps({"model_id": "soak", "input_data": prompts[0]})


BAD_BODIES = (
    "{",
    "[]",
    '{"model_id": "soak"}',
    '{"input_data": "x"}',
    '{"model_id": "soak", "input_data": "x", "parameters": {"temperature": "hot"}}',
    '{"model_id": "soak", "messages": [{"role": "nobody", "content": "x"}]}',
)


def draw(dice: random.Random) -> Request:
    """The next request of the mix."""
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    count = {"batch": dice.randint(1, 6), "embeddings": dice.randint(1, 3)}.get(kind, 1)
    plans = tuple(_plan(dice) for _ in range(count))
    if kind == "embeddings":  # one call for all: the first one's acts count
        plans = tuple(
            Plan(each.nonce, each.tokens, plans[0].ollama, plans[0].openai)
            for each in plans
        )
    leaves = dice.randint(0, 400) if dice.random() < LEAVING else None
    return Request(kind, plans, leaves, dice.choice(BAD_BODIES))


def _plan(dice: random.Random) -> Plan:
    ollama, openai = dice.choices(list(ACTS), list(ACTS.values()), k=2)
    return Plan(f"{dice.getrandbits(64):016x}", dice.randint(1, 24), ollama, openai)
