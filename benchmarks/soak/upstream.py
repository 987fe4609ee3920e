"""The faulty upstreams of the soak, both dialects in one process: each request's prompt says what happens to it.

`GET /open` tells how many answers are being given and how many connections are there.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.soak.plans import WHOLE, Plan, read

STALL = 60.0
"""Seconds: longer than anybody waits."""

DRIP = 0.02
"""Seconds between two pieces."""


class Upstream:
    def __init__(self) -> None:
        self.answering = 0
        self.connections = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while request := await _request(reader):
                await self._answer(writer, reader, *request)
        except (ConnectionError, asyncio.IncompleteReadError, _HangUp):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        reader: asyncio.StreamReader,
        path: str,
        body: dict[str, Any],
    ) -> None:
        if path == "/open":
            counts = {"answering": self.answering, "connections": self.connections - 1}
            writer.write(_whole(counts))
            return
        if path in ("/api/version", "/v1/models"):
            writer.write(_whole({"version": "soak", "data": []}))
            return
        self.answering += 1
        try:
            await _play(reader, writer, path, body)
        finally:
            self.answering -= 1


class _HangUp(Exception):
    """The connection ends here."""


async def _request(
    reader: asyncio.StreamReader,
) -> tuple[str, dict[str, Any]] | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    lengths = [line for line in lines if line.lower().startswith("content-length:")]
    length = int(lengths[0].partition(":")[2]) if lengths else 0
    body = await reader.readexactly(length)
    return first.split()[1], json.loads(body) if body else {}


async def _play(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    path: str,
    body: dict[str, Any],
) -> None:
    ollama = path.startswith("/api/")
    plans = [read(prompt) for prompt in _prompts(body)]
    act = plans[0].ollama if ollama else plans[0].openai
    match act:
        case "refuse":
            raise _HangUp
        case "error":
            writer.write(_whole({"error": "it broke"}, "500 Internal Server Error"))
        case "limit":
            writer.write(_whole({"error": "slow down"}, "429 Too Many Requests"))
        case "garbage":
            writer.write(_whole("<html>"))
        case "stall":
            await asyncio.wait_for(reader.read(1), STALL)  # until the server hangs up
            raise _HangUp
        case _ if body.get("stream"):
            await _stream(writer, act, _lines(plans[0], ollama))
        case _:
            await _give(writer, act, _whole(_answer_of(plans, ollama, path)))


def _prompts(body: dict[str, Any]) -> list[str]:
    if "messages" in body:
        return [body["messages"][-1]["content"]]
    return list(body["input"])


def _answer_of(plans: list[Plan], ollama: bool, path: str) -> dict[str, Any]:
    vectors = [plan.vector() for plan in plans]
    message = {"role": "assistant", "content": plans[0].text()}
    match path:
        case "/api/embed":
            return {"embeddings": vectors, "prompt_eval_count": 1}
        case "/v1/embeddings":
            data = [{"index": i, "embedding": each} for i, each in enumerate(vectors)]
            return {"data": data, "usage": {"prompt_tokens": 1}}
    if ollama:
        return {"message": message, "done": True, "done_reason": "stop"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def _lines(plan: Plan, ollama: bool) -> list[bytes]:
    """Of a whole stream, the last one too."""
    if ollama:
        lines = [{"message": {"content": word}, "done": False} for word in plan.words()]
        last = {"message": {"content": ""}, "done": True, "done_reason": "stop"}
        return [json.dumps(line).encode() + b"\n" for line in [*lines, last]]
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in plan.words()
    ]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [
        b"data: " + json.dumps(each).encode() + b"\n\n" for each in [*chunks, end]
    ]
    return [*events, b"data: [DONE]\n\n"]


async def _stream(writer: asyncio.StreamWriter, act: str, lines: list[bytes]) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    if act == "cut":  # behind the first token, and before the end
        lines = lines[: max(1, len(lines) // 2)]
    async for line in _paced(lines, act):
        writer.write(b"%x\r\n%b\r\n" % (len(line), line))
        await writer.drain()
    if act not in WHOLE:
        raise _HangUp
    writer.write(b"0\r\n\r\n")


async def _paced(lines: list[bytes], act: str) -> AsyncIterator[bytes]:
    for line in lines:
        if act == "drip":
            await asyncio.sleep(DRIP)
        yield line


async def _give(writer: asyncio.StreamWriter, act: str, answer: bytes) -> None:
    if act == "cut":
        writer.write(answer[:-5])
        await writer.drain()
        raise _HangUp
    if act == "drip":
        for at in range(0, len(answer), 64):
            writer.write(answer[at : at + 64])
            await asyncio.sleep(DRIP)
        return
    writer.write(answer)


def _whole(value: object, status: str = "200 OK") -> bytes:
    body = json.dumps(value).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _main() -> None:
    server = await asyncio.start_server(Upstream().serve, "127.0.0.1", 0, backlog=1024)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
