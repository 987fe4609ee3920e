"""Load: many connections that each send the same request again and again, and look at every answer. Raw asyncio, so that it
costs little beside what it measures."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'"(?:token|content)": ?"(\d{12,})"')
_TOKEN = re.compile(rb'"(?:token|content)": ?"[^"]')


@dataclass(frozen=True)
class Request:
    """A request, and what every right answer contains."""

    port: int
    path: str
    headers: Mapping[str, str]
    body: bytes
    expected: bytes
    tokens: int = 0
    """The number of tokens of a streamed answer; 0 for a whole answer."""

    def encoded(self) -> bytes:
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            "Content-Type: application/json",
            f"Content-Length: {len(self.body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Seen:
    """The measured times, in seconds, and wrong answers."""

    answers: int = 0
    wrong: list[bytes] = field(default_factory=list)
    """Beginnings of answers that were not the expected ones."""
    latencies: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    """The times from the request to the first token."""
    delays: list[float] = field(default_factory=list)
    """For each token of a paced stream, the time from the upstream's sending to its arrival."""
    seconds: float = 0.0


class _Connection(asyncio.Protocol):
    """Sends, waits for the whole answer, and sends again while `more()`."""

    def __init__(self, request: Request, seen: Seen, load: "_Load") -> None:
        self._request = request
        self._seen = seen
        self._load = load
        self._bytes = request.encoded()
        self._parts: list[bytes] = []
        self._length: int | None = None
        self._first = False
        self._sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self._request.tokens and not self._first and _TOKEN.search(data):
            self._first = True
            self._seen.first_tokens.append(now - self._sent)
        nanoseconds = time.monotonic_ns()
        for stamp in _STAMP.findall(data):
            self._seen.delays.append((nanoseconds - int(stamp)) / 1e9)
        self._parts.append(data)
        if self._is_whole(data):
            self._take(now)
            self._next()

    def connection_lost(self, ex: Exception | None) -> None:
        if self._parts:  # closed instead of ended: good for HTTP/1.0, not for us
            self._seen.wrong.append(b"".join(self._parts)[:300])
        self._load.gone(self)

    def _next(self) -> None:
        self._parts, self._length, self._first = [], None, False
        if not self._load.more():
            self._transport.close()
            return
        self._sent = time.monotonic()
        self._transport.write(self._bytes)

    def _is_whole(self, data: bytes) -> bool:
        if self._length is None:
            head, found, _ = b"".join(self._parts).partition(b"\r\n\r\n")
            if not found:
                return False
            length = _LENGTH.search(head)
            self._length = len(head) + 4 + int(length[1]) if length else 0
        if self._length:
            return sum(map(len, self._parts)) >= self._length
        return b"".join(self._parts[-3:]).endswith(b"\r\n0\r\n\r\n")

    def _take(self, now: float) -> None:
        answer = b"".join(self._parts)
        good = self._request.expected in answer
        if self._request.tokens:
            good = good and len(_TOKEN.findall(answer)) == self._request.tokens
        if good:
            self._seen.answers += 1
            self._seen.latencies.append(now - self._sent)
        else:
            self._seen.wrong.append(answer[:300])


class _Load:
    """Decides whether another request is sent: for a time from the first one on, or a number of times."""

    def __init__(self, seconds: float, times: int | None) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._left = times
        self._open: set[asyncio.BaseProtocol] = set()
        self.over = asyncio.Event()

    def more(self) -> bool:
        if self._left is not None:
            self._left -= 1
            return self._left >= 0
        now = time.monotonic()
        if self._until is None:  # connecting may take long on a busy machine
            self._until = now + self._seconds
        return now < self._until

    def opened(self, connection: asyncio.BaseProtocol) -> None:
        self._open.add(connection)

    def gone(self, connection: asyncio.BaseProtocol) -> None:
        self._open.discard(connection)
        if not self._open:
            self.over.set()


async def _run(
    request: Request, at_once: int, seconds: float, times: int | None, apart: float
) -> Seen:
    seen, load = Seen(), _Load(seconds, times)
    loop = asyncio.get_running_loop()
    started = time.monotonic()
    for number in range(at_once):
        await asyncio.sleep(started + number * apart - time.monotonic())
        connection = _Connection(request, seen, load)
        load.opened(connection)
        await loop.create_connection(
            partial(_same, connection), "127.0.0.1", request.port
        )
    await asyncio.wait_for(load.over.wait(), seconds + 60)
    seen.seconds = time.monotonic() - started
    return seen


def _same(connection: _Connection) -> _Connection:
    return connection


def run(
    request: Request,
    at_once: int,
    seconds: float,
    times: int | None = None,
    apart: float = 0.0,
) -> Seen:
    """`at_once` connections for `seconds`, or for `times` requests in all. Raises when an answer is wrong.

    They begin `apart` seconds after each other.
    """
    seen = asyncio.run(_run(request, at_once, seconds, times, apart))
    if seen.wrong or not seen.answers:
        example = seen.wrong[0] if seen.wrong else b"nothing"
        raise RuntimeError(f"{len(seen.wrong)} wrong answers, such as {example!r}")
    return seen


def run_both(one: Request, other: Request, at_once: int, seconds: float) -> Seen:
    """Runs `at_once` streams of `one` beside sequential requests of `other` on one connection. Returns the results of `one`."""

    async def both() -> tuple[Seen, Seen]:
        streams = asyncio.create_task(_run(one, at_once, 0, at_once, 0.01))
        await asyncio.sleep(0.5)
        return await asyncio.gather(streams, _run(other, 1, seconds, None, 0))

    seen, meanwhile = asyncio.run(both())
    if seen.wrong or meanwhile.wrong or not meanwhile.answers:
        raise RuntimeError(f"wrong answers: {[*seen.wrong, *meanwhile.wrong][:1]}")
    return seen
