"""The clients of the soak: each sends its request, reads the answer to its end, and reports its faults."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from benchmarks.soak.plans import BEGUN, WHOLE, Plan, Request

TOKEN = "soak"
MAX_WAIT = 60.0
"""Seconds after which an answer counts as lost."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    whole: bool
    """True if its length or its last chunk shows that it is complete."""


class Connection:
    """One kept-alive connection to the server; opened again where an answer was broken off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: Request) -> Answer | None:
        """Returns the answer, or None for a client that leaves."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port
            )
        self._writer.write(_encoded(request, self._port))
        if request.leaves_after is not None:
            await _read_some(self._reader, request.leaves_after)
            self.close()
            return None
        answer = await _read(self._reader)
        if not answer.whole:
            self.close()
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def _encoded(request: Request, port: int) -> bytes:
    body = request.body().encode()
    method = "GET" if request.kind == "health" else "POST"
    return (
        f"{method} {request.path()} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _read_some(reader: asyncio.StreamReader, size: int) -> None:
    try:
        async with asyncio.timeout(0.2):
            await reader.readexactly(size)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        pass


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split(" ", 2)[1])
    fields = dict(
        line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
    )
    parts: list[bytes] = []
    try:
        if "content-length" in fields:
            parts.append(await reader.readexactly(int(fields["content-length"])))
        else:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                parts.append((await reader.readexactly(size + 2))[:-2])
            await reader.readexactly(2)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(status, b"".join(parts), whole=False)
    return Answer(status, b"".join(parts), whole=True)


def faults(request: Request, answer: Answer) -> str:
    """The faults of the answer; empty if it is right."""
    match request.kind:
        case "health":
            return "" if answer.status == 200 and answer.whole else "health is not 200"
        case "bad":
            return _envelope_faults(answer, 400)
        case "stream":
            return _stream_faults(request.plans[0], answer)
        case "single":
            return _single_faults(request.plans[0], answer)
        case "batch":
            return _batch_faults(request.plans, answer)
    return _embeddings_faults(request.plans, answer)


def _envelope_faults(answer: Answer, status: int) -> str:
    if not answer.whole or answer.status != status:
        return f"status {answer.status}, whole: {answer.whole}; expected {status}"
    envelope = json.loads(answer.body)
    if envelope["status_code"] != answer.status or not envelope["request_id"]:
        return f"no envelope: {envelope}"
    return ""


def _single_faults(plan: Plan, answer: Answer) -> str:
    provider = plan.provider(WHOLE)
    if provider is None:
        return _envelope_faults(answer, plan.failure())
    if answer.status != 200 or not answer.whole:
        return f"status {answer.status}, whole: {answer.whole}; expected {provider}"
    return _result_faults(plan, provider, json.loads(answer.body))


def _result_faults(plan: Plan, provider: str, result: dict[str, Any]) -> str:
    if result.get("output") != plan.text():
        return f"another's answer: {result}"
    return "" if result["provider"] == provider else f"provider: {result['provider']}"


def _stream_faults(plan: Plan, answer: Answer) -> str:
    provider = plan.provider(BEGUN)
    if provider is None:
        return _envelope_faults(answer, plan.failure())
    if answer.status != 200:
        return f"status {answer.status}; expected a stream of {provider}"
    events = [
        json.loads(line[6:])
        for line in answer.body.split(b"\n")
        if line.startswith(b"data: ")
    ]
    text = "".join(event["token"] for event in events)
    if any(event["provider"] != provider for event in events):
        return f"another provider than {provider}: {events}"
    done = bool(events) and events[-1]["done"]
    if getattr(plan, provider) in WHOLE:
        right = done and answer.whole and text == plan.text()
        return "" if right else f"done: {done}, whole: {answer.whole}, text {text!r}"
    if done or answer.whole:
        return f"a cut answer that looks complete: {events}"
    right = plan.text().startswith(text) and "error" in events[-1]
    return "" if right else f"a cut answer with another's tokens: {events}"


def _batch_faults(plans: tuple[Plan, ...], answer: Answer) -> str:
    if answer.status != 200 or not answer.whole:
        return f"status {answer.status}, whole: {answer.whole}"
    body = json.loads(answer.body)
    if len(body["results"]) != len(plans):
        return f"{len(body['results'])} results of {len(plans)}"
    for index, (plan, result) in enumerate(zip(plans, body["results"], strict=True)):
        provider = plan.provider(WHOLE)
        if result["index"] != index:
            return f"index {result['index']} at {index}"
        if provider is None:
            if "error" not in result or "output" in result:
                return f"expected an error: {result}"
        elif wrong := _result_faults(plan, provider, result):
            return wrong
    failed = sum(plan.provider(WHOLE) is None for plan in plans)
    return "" if body["failed"] == failed else f"failed: {body['failed']}"


def _embeddings_faults(plans: tuple[Plan, ...], answer: Answer) -> str:
    provider = plans[0].provider(WHOLE)
    if provider is None:
        return _envelope_faults(answer, plans[0].failure())
    if answer.status != 200 or not answer.whole:
        return f"status {answer.status}, whole: {answer.whole}; expected {provider}"
    vectors = json.loads(answer.body)["embeddings"]
    right = vectors == [plan.vector() for plan in plans]
    return "" if right else f"another's vectors: {vectors}"
