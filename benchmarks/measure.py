"""The measurements, one function per scenario. Each returns a row: what, who, how many at once, the figures by name."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import upstream
from benchmarks.contenders import TOKEN, Contender, filled, upstream_url
from benchmarks.load import Request, Seen, run, run_both
from benchmarks.processes import (
    OUR_CORES,
    SERVERS_CORE,
    cpu_seconds,
    free_port,
    memory_mb,
    running,
    wait_until_answering,
)
from octomil_ref import json_codec

UPSTREAM_ITSELF = "the upstream itself"
"""Asked directly, without a server in between; CPU and memory in its rows are the load's own."""

EMBEDDINGS = "embeddings 32 x 768"
ENCODED_ONCE = "encoded once"


@dataclass(frozen=True)
class Row:
    scenario: str
    contender: str
    at_once: int
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """A running contender."""

    contender: Contender
    pid: int
    port: int

    @property
    def label(self) -> str:
        return self.contender.label

    def whole(self) -> Request:
        return self._asking("Go on.", self.contender.answers or b"")

    def stream(self) -> Request:
        """A stream at full speed."""
        return self._asking("Go on.", b"", upstream.TOKENS)

    def paced(self, rate: int, seconds: float) -> Request:
        """A stream of `rate` tokens a second."""
        tokens = int(rate * seconds)
        return self._asking(f"paced-{rate}x{tokens}", b"", tokens)

    def request(
        self, path: str, asked: Mapping[str, object], expected: bytes, tokens: int = 0
    ) -> Request:
        given = self.contender.headers or {"Authorization": f"Bearer {TOKEN}"}
        headers = {name: filled(value, self.port) for name, value in given.items()}
        body = json.dumps(asked).encode()
        return Request(self.port, path, headers, body, expected, tokens)

    def _asking(self, prompt: str, expected: bytes, tokens: int = 0) -> Request:
        messages = [{"role": "user", "content": prompt}]
        asked: dict[str, object] = {"messages": messages}
        if self.contender.openai:
            asked |= {"model": upstream.MODEL, "stream": bool(tokens)}
            path, done = "/v1/chat/completions", b"[DONE]"
            return self.request(path, asked, expected or done, tokens)
        asked |= {"model_id": upstream.MODEL}
        path = "/api/v1/inference/stream" if tokens else "/api/v1/inference"
        return self.request(path, asked, expected or b'"done"', tokens)


@contextmanager
def scripted_upstream() -> Iterator[Server]:
    port = free_port()
    os.environ["BENCHMARK_UPSTREAM"] = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.upstream", str(port)]
    with running(command, on=OUR_CORES) as pid:
        wait_until_answering(f"{upstream_url()}/v1/models", pid)
        itself = Contender(UPSTREAM_ITSELF, "", command, openai=True)
        yield Server(itself, os.getpid(), port)


@contextmanager
def serving(contender: Contender) -> Iterator[Server]:
    """Yields the contender when it answers. It runs on its own core, or on all cores."""
    port = free_port()
    command = [filled(each, port) for each in contender.command]
    env = {name: filled(value, port) for name, value in contender.env.items()}
    on = SERVERS_CORE | OUR_CORES if contender.all_cores else SERVERS_CORE
    with running(command, env, on) as pid:
        wait_until_answering(f"http://127.0.0.1:{port}/health", pid)
        yield Server(contender, pid, port)


def microseconds(seconds: float) -> float:
    return seconds * 1e6


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def single(server: Server, at_once: int, seconds: float) -> Row:
    """Whole answers."""
    seen, cpu = _under_load(server, server.whole(), at_once, seconds)
    figures = {
        "requests_per_second": seen.answers / seen.seconds,
        "cpu_us_per_request": microseconds(cpu / seen.answers),
        "p50_ms": percentile(seen.latencies, 0.5) * 1e3,
        "p99_ms": percentile(seen.latencies, 0.99) * 1e3,
        "memory_mb": memory_mb(server.pid),
    }
    return Row("single", server.label, at_once, figures)


def streams(server: Server, at_once: int, seconds: float) -> Row:
    """Streams whose tokens come as fast as they can."""
    request = server.stream()
    seen, cpu = _under_load(server, request, at_once, seconds)
    tokens = seen.answers * request.tokens
    figures = {
        "tokens_per_second": tokens / seen.seconds,
        "cpu_us_per_token": microseconds(cpu / tokens),
        "first_token_p50_ms": percentile(seen.first_tokens, 0.5) * 1e3,
        "memory_mb": memory_mb(server.pid),
    }
    return Row("streams", server.label, at_once, figures)


def _under_load(
    server: Server, request: Request, at_once: int, seconds: float
) -> tuple[Seen, float]:
    """The results of the load, and the server's CPU time in seconds."""
    run(request, max(1, at_once // 4), min(seconds, 0.3))  # warm-up
    before = cpu_seconds(server.pid)
    seen = run(request, at_once, seconds)
    return seen, cpu_seconds(server.pid) - before


def paced(server: Server, at_once: int, rate: int, seconds: float) -> Row:
    """Streams at the speed of a model: what the server adds to each token, and what a lone token costs.

    They begin one after the other, within two seconds at most, and all run for some seconds more.
    """
    before = cpu_seconds(server.pid)
    request = server.paced(rate, seconds)
    seen = run(request, at_once, 0, at_once, min(0.02, 2 / at_once))
    cpu = cpu_seconds(server.pid) - before
    figures = {
        "tokens_per_second": len(seen.delays) / seen.seconds,
        "cpu_us_per_token": microseconds(cpu / len(seen.delays)),
        "p50_ms": percentile(seen.delays, 0.5) * 1e3,
        "p99_ms": percentile(seen.delays, 0.99) * 1e3,
        "first_token_p50_ms": percentile(seen.first_tokens, 0.5) * 1e3,
        "memory_mb": memory_mb(server.pid),
    }
    return Row(f"paced at {rate}/s", server.label, at_once, figures)


def embeddings(server: Server, seconds: float) -> Row:
    """Answers of 32 vectors of 768 numbers, and how much they delay streams that run at the same time."""
    asked = {"model_id": upstream.MODEL, "input": ["text"] * 32}
    request = server.request("/api/v1/embeddings", asked, b'"embeddings":[[')
    seen, cpu = _under_load(server, request, 1, seconds)
    stream = server.paced(100, seconds + 1)
    alone = run(stream, 8, 0, 8)
    beside = run_both(stream, request, 8, seconds)
    figures = {
        "cpu_ms_per_answer": cpu / seen.answers * 1e3,
        "stream_p99_ms_alone": percentile(alone.delays, 0.99) * 1e3,
        "stream_p99_ms_beside": percentile(beside.delays, 0.99) * 1e3,
    }
    return Row(EMBEDDINGS, server.label, 1, figures)


def encoding_once(fast: bool, seconds: float) -> Row:
    """The time to encode the vectors of such an answer once, in this process."""
    encode = json_codec.encode if fast else json.dumps
    times, started = 0, time.process_time()
    while time.process_time() < started + seconds:
        encode(upstream.VECTORS)
        times += 1
    cost = (time.process_time() - started) / times
    label = ENCODED_ONCE if fast else f"{ENCODED_ONCE}, no orjson"
    return Row(EMBEDDINGS, label, 1, {"cpu_ms_per_answer": cost * 1e3})


def batch(server: Server, times: int) -> Row:
    """64 inputs, 16 at a time, each 100 ms: 400 ms at best."""
    asked = {
        "model_id": upstream.MODEL,
        "inputs": [{"input_data": "slow-100"}] * 64,
        "max_concurrency": 16,
    }
    path, expected = "/api/v1/inference/batch", b'"succeeded":64,"failed":0'
    seen = run(server.request(path, asked, expected), 1, 0, times + 1)
    took = statistics.median(seen.latencies[1:])
    return Row("batch", server.label, 1, {"ms": took * 1e3, "of_ideal": took / 0.4})


def start(contender: Contender, times: int) -> Row:
    """The time from the command to the first answer."""
    took = []
    for _ in range(times):
        started = time.monotonic()
        with serving(contender):
            took.append(time.monotonic() - started)
    return Row("start", contender.label, 1, {"seconds": statistics.median(took)})
