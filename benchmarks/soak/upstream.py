"""The failing upstreams of the soak, both dialects on one port: the plan in each prompt says what happens to its request.

`GET /open` says how many responses are under way, how many connections there are, and what went wrong here.
"""

import signal
from typing import Any

from octomil_conformance.backend.response import Response, compact
from octomil_conformance.backend.scripts import asked, json, refuses, stall, whole
from octomil_conformance.backend.upstream import Script, Upstream

from benchmarks.soak.plans import WHOLE, Plan, read

DRIP = 0.02
"""Seconds between two pieces."""

PIECE = 64
"""Bytes of a whole answer in each piece."""

FAILURES: dict[str, Script] = {
    "refuse": Response.close,
    "error": refuses(500, "it broke"),
    "limit": refuses(429, "slow down"),
    "garbage": whole(b"<html>"),
    "stall": stall,
}
"""Failures by act. The other acts begin an answer."""


def play(response: Response) -> None:
    plans = [read(prompt) for prompt in _prompts(response.request.json)]
    ollama = response.request.path.startswith("/api/")
    act = plans[0].ollama if ollama else plans[0].openai
    if act in FAILURES:
        FAILURES[act](response)
    elif response.request.json.get("stream"):
        _stream(response, plans[0], act)
    else:
        _answer(response, plans, act)


def _prompts(body: dict[str, Any]) -> list[str]:
    if "messages" in body:
        return [body["messages"][-1]["content"]]
    return list(body["input"])


def _stream(response: Response, plan: Plan, act: str) -> None:
    _, dialect = asked(response.request)
    frames = [*map(dialect.token, plan.words()), dialect.ending("stop", plan.tokens)]
    if act == "cut":  # behind the first token, and before the end
        frames = frames[: max(1, len(frames) // 2)]
    response.start_chunked(dialect.stream_type)
    for frame in frames:
        _pause(response, act)
        response.chunk(frame)
    if act in WHOLE:
        response.end_chunks()


def _answer(response: Response, plans: list[Plan], act: str) -> None:
    ask, dialect = asked(response.request)
    if ask.texts is None:
        answer = dialect.whole(plans[0].text(), "", "stop", plans[0].tokens)
    else:
        answer = dialect.vectors([plan.vector() for plan in plans])
    body = compact(answer)
    if act == "good":
        response.answer(200, body)
        return
    response.head(200, content_length=str(len(body)))
    if act == "cut":
        response.send(body[:-5])
        return
    for start in range(0, len(body), PIECE):
        _pause(response, act)
        response.send(body[start : start + PIECE])
    response.complete()


def _pause(response: Response, act: str) -> None:
    if act == "drip":
        response.stopped.wait(DRIP)


def main() -> None:
    with Upstream(script=play) as upstream:
        upstream.on("/api/version", json({"version": "soak"}))
        upstream.on("/v1/models", json({"data": []}))
        upstream.on("/open", lambda response: response.json(200, _counts(upstream)))
        print(f"port {upstream.port}", flush=True)
        signal.pause()


def _counts(upstream: Upstream) -> dict[str, Any]:
    """The counts, without the connection that asks for them."""
    return {
        "answering": upstream.running - 1,
        "connections": upstream.connections - 1,
        "errors": [repr(error) for error in upstream.errors],
    }


if __name__ == "__main__":
    main()
