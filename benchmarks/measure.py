"""What is measured, a function a figure. Each gives rows: what, who, how many at once, the figures by name."""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import upstream
from benchmarks.contenders import (
    PORT,
    TOKEN,
    UPSTREAM,
    UPSTREAM_PORT,
    Contender,
    reference,
)
from benchmarks.load import Request, Seen, run, run_both
from benchmarks.processes import (
    OUR_CORES,
    SERVERS_CORE,
    cpu_seconds,
    memory_mb,
    running,
    wait_until_answering,
)

UPSTREAM_ITSELF = "the upstream itself"
"""Asked directly, without a server in between; CPU and memory in its rows are the load's own."""


@dataclass(frozen=True)
class Row:
    scenario: str
    contender: str
    at_once: int
    figures: dict[str, float] = field(default_factory=dict)


def _body(model: str, **fields: object) -> bytes:
    asked = {"model_id": model, "messages": [{"role": "user", "content": "Go on."}]}
    return json.dumps({**asked, **fields}).encode()


def _direct(path: str, model: str, expected: bytes, tokens: int = 0) -> Request:
    """The same, asked of the upstream itself."""
    asked = {"model": model, "messages": [{"role": "user", "content": "Go on."}]}
    body = json.dumps({**asked, "stream": bool(tokens)}, separators=(",", ":"))
    return Request(UPSTREAM_PORT, path, body.encode(), TOKEN, expected, tokens)


WHOLE = Request(
    PORT, "/api/v1/inference", _body("whole"), TOKEN, upstream.ANSWER.encode()
)
HELLO = Request(PORT, "/api/v1/inference", _body("whole"), TOKEN, b"hello")
STREAM = Request(
    PORT,
    "/api/v1/inference/stream",
    _body("whole"),
    TOKEN,
    b'"done": true',
    upstream.TOKENS,
)
DIRECT = _direct("/v1/chat/completions", "whole", upstream.ANSWER.encode())
DIRECT_STREAM = _direct("/v1/chat/completions", "whole", b"[DONE]", upstream.TOKENS)
EMBEDDINGS = Request(
    PORT,
    "/api/v1/embeddings",
    json.dumps({"model_id": "whole", "input": ["text"] * 32}).encode(),
    TOKEN,
    b'"embeddings":[[',
)


def stream_of(contender: str) -> Request:
    done = b'"done":true' if contender == "octomil-ref" else b'"done": true'
    return Request(STREAM.port, STREAM.path, STREAM.body, TOKEN, done, upstream.TOKENS)


def paced(rate: int, direct: bool = False) -> Request:
    """A stream of `rate` tokens a second."""
    model, tokens = f"paced-{rate}", int(upstream.PACED_SECONDS * rate)
    if direct:
        return _direct("/v1/chat/completions", model, b"[DONE]", tokens)
    return Request(PORT, STREAM.path, _body(model), TOKEN, b'"done":true', tokens)


@contextmanager
def scripted_upstream() -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.upstream", str(UPSTREAM_PORT)]
    with running(command, on=OUR_CORES):
        wait_until_answering(f"{UPSTREAM}/models")
        yield


@contextmanager
def serving(contender: Contender, on_all_cores: bool = False) -> Iterator[int]:
    """The contender's pid, once it answers; on the core of its own unless it is to have all."""
    on = SERVERS_CORE | OUR_CORES if on_all_cores else SERVERS_CORE
    with running(contender.command, contender.env, on) as pid:
        wait_until_answering(f"http://127.0.0.1:{PORT}/health")
        yield pid


def microseconds(seconds: float) -> float:
    return seconds * 1e6


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _speed(seen: Seen, cpu: float) -> dict[str, float]:
    return {
        "requests_per_second": seen.answers / seen.seconds,
        "cpu_us_per_request": microseconds(cpu / seen.answers),
        "p50_ms": percentile(seen.latencies, 0.5) * 1e3,
        "p99_ms": percentile(seen.latencies, 0.99) * 1e3,
    }


def single(name: str, pid: int, request: Request, at_once: int, seconds: float) -> Row:
    """Whole answers."""
    run(request, at_once, 0.3)
    before = cpu_seconds(pid)
    seen = run(request, at_once, seconds)
    cpu = cpu_seconds(pid) - before
    figures = {**_speed(seen, cpu), "memory_mb": memory_mb(pid)}
    return Row("single", name, at_once, figures)


def streams(name: str, pid: int, request: Request, at_once: int, seconds: float) -> Row:
    """Streams whose tokens come as fast as they can."""
    run(request, at_once, 0.3)
    before = cpu_seconds(pid)
    seen = run(request, at_once, seconds)
    cpu = cpu_seconds(pid) - before
    tokens = seen.answers * request.tokens
    figures = {
        "tokens_per_second": tokens / seen.seconds,
        "cpu_us_per_token": microseconds(cpu / tokens),
        "first_token_p50_ms": percentile(seen.first_tokens, 0.5) * 1e3,
        "memory_mb": memory_mb(pid),
    }
    return Row("streams", name, at_once, figures)


def paced_streams(name: str, pid: int, at_once: int, rate: int) -> Row:
    """Streams at the speed of a model: what the server adds to each token, and to the first.

    They begin one after the other, within two seconds at most, and all run for some seconds more.
    """
    apart = min(0.02, 2 / at_once)
    direct = run(paced(rate, direct=True), at_once, 0, at_once, apart)
    before = cpu_seconds(pid)
    seen = run(paced(rate), at_once, 0, at_once, apart)
    cpu, memory = cpu_seconds(pid) - before, memory_mb(pid)
    figures = {
        "tokens_per_second": len(seen.delays) / seen.seconds,
        "cpu_us_per_token": microseconds(cpu / len(seen.delays)),
        "added_p50_ms": (percentile(seen.delays, 0.5) - percentile(direct.delays, 0.5))
        * 1e3,
        "added_p99_ms": (
            percentile(seen.delays, 0.99) - percentile(direct.delays, 0.99)
        )
        * 1e3,
        "first_token_added_p50_ms": (
            percentile(seen.first_tokens, 0.5) - percentile(direct.first_tokens, 0.5)
        )
        * 1e3,
        "memory_mb": memory,
    }
    return Row(f"paced at {rate}/s", name, at_once, figures)


def embeddings(name: str, pid: int, seconds: float) -> Row:
    """Answers of 32 vectors of 768 numbers, and how long they hold up streams that run beside them."""
    run(EMBEDDINGS, 1, 0.3)
    before = cpu_seconds(pid)
    seen = run(EMBEDDINGS, 1, seconds)
    cpu = cpu_seconds(pid) - before
    alone = run(paced(100), 8, 0, 8)
    beside = run_both(paced(100), EMBEDDINGS, 8, 3)
    figures = {
        "cpu_ms_per_answer": cpu / seen.answers * 1e3,
        "stream_p99_ms_alone": percentile(alone.delays, 0.99) * 1e3,
        "stream_p99_ms_beside": percentile(beside.delays, 0.99) * 1e3,
    }
    return Row("embeddings 32 x 768", name, 1, figures)


def batch(name: str, rounds: int) -> Row:
    """64 inputs, 16 at a time, each 100 ms: 400 ms at best."""
    body = json.dumps(
        {
            "model_id": "slow-100",
            "inputs": [{"input_data": "Go on."}] * 64,
            "max_concurrency": 16,
        }
    ).encode()
    request = Request(
        PORT, "/api/v1/inference/batch", body, TOKEN, b'"succeeded":64,"failed":0'
    )
    seen = run(request, 1, 0, rounds + 1)
    took = statistics.median(seen.latencies[1:])
    return Row("batch", name, 1, {"ms": took * 1e3, "of_ideal": took / 0.4})


def start(server: str, rounds: int) -> Row:
    """From the command to the first answer."""
    took = []
    for _ in range(rounds):
        started = time.monotonic()
        with serving(reference(server)):
            took.append(time.monotonic() - started)
    return Row(
        "start", f"octomil-ref / {server}", 1, {"seconds": statistics.median(took)}
    )
