"""The upstream of the benchmarks: an OpenAI-compatible server whose answers are made beforehand, in a process of its own.

The prompt says how it answers: `paced-RATExTOKENS` (a stream of TOKENS at RATE tokens a second, each the moment of its sending in
nanoseconds), `slow-N` (a whole answer after N milliseconds), anything else: at once, a stream as fast as it can, one write a
token.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

TOKENS = 200
"""Tokens of a stream at full speed, and of a whole answer."""

ANSWER = "word " * TOKENS

MODEL = "gpt-4o"
"""A name that gateways know."""

_USAGE = {"prompt_tokens": 10, "completion_tokens": TOKENS, "total_tokens": 210}
_PACED = re.compile(rb"paced-(\d+)x(\d+)")
_SLOW = re.compile(rb"slow-(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def _whole(value: Any) -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    }
    return _chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
STREAM_END = (
    _event({}, "stop")
    + _chunk(
        b"data: " + json.dumps({"choices": [], "usage": _USAGE}).encode() + b"\n\n"
    )
    + _chunk(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)
WORDS = [_event({"content": f" word{number}"}) for number in range(TOKENS)]
CHAT = _whole(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER},
                "finish_reason": "stop",
            }
        ],
        "usage": _USAGE,
    }
)
VECTORS = [
    [((index * 768 + place) * 0.6180339887) % 1 - 0.5 for place in range(768)]
    for index in range(32)
]
EMBEDDINGS = _whole(
    {
        "object": "list",
        "model": MODEL,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": vector,
            }
            for index, vector in enumerate(VECTORS)
        ],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
)


class _Client(asyncio.Protocol):
    """One connection; requests on it are answered one after the other."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            head = self._received[:end]
            length = _LENGTH.search(head)
            end_of_body = end + (int(length[1]) if length else 0)
            if len(self._received) < end_of_body:
                return
            body = self._received[end:end_of_body]
            self._received = self._received[end_of_body:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        slow, paced = _SLOW.search(body), _PACED.search(body)
        if b"/embeddings" in head:
            self._transport.write(EMBEDDINGS)
        elif b'"stream":true' not in body.replace(b": ", b":"):
            seconds = int(slow[1]) / 1000 if slow else 0
            self._loop.call_later(seconds, self._transport.write, CHAT)
        elif paced:
            self._transport.write(STREAM_HEAD)
            self._pace(1 / int(paced[1]), int(paced[2]), self._loop.time())
        else:
            self._transport.write(STREAM_HEAD)
            for word in WORDS:
                self._transport.write(word)
            self._transport.write(STREAM_END)

    def _pace(self, seconds: float, left: int, at: float) -> None:
        if self._transport.is_closing():
            return
        if not left:
            self._transport.write(STREAM_END)
            return
        self._transport.write(_event({"content": str(time.monotonic_ns())}))
        self._loop.call_at(at + seconds, self._pace, seconds, left - 1, at + seconds)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        _Client, "127.0.0.1", port, backlog=2048
    )
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
