"""`python -m benchmarks.soak`: a random mix of all endpoints in front of upstreams that fail at random.

Each request carries a nonce and each answer is checked against it; clients leave at random points. Afterwards no thread, no
descriptor and no upstream call may be left, and memory may not have grown. The exit status is 1 for anything wrong; the same
`--seed` sends the same requests again.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.processes import free_port, running, wait_until_answering
from benchmarks.soak import client, usage
from benchmarks.soak.plans import Request, draw

TIMEOUT = 3
"""LLM_BACKEND_TIMEOUT: a stalled upstream costs this long."""

SPARE_THREADS = 4
OTHER_THREADS = 40
"""Threads of a server beyond its setting: the pool for batches, and a few others."""

WARM_UP = 0.15
"""After this share of the requests the server's memory and descriptors are taken as normal."""

NO_THREAD_CACHES = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""Each of some ninety threads keeps pieces of memory that it has freed, and those split the free memory: without this the server
grows by 18 MB from request 5,000 to 25,000 though the number of Python's objects stays the same. With it only a leak makes it grow."""

MEMORY_MB = 8.0
"""Megabytes by which memory may grow after the warm-up: a fifth of a kilobyte for each of 42,500 requests."""

SHOWN = 10
"""The most violations that are printed."""


@dataclass
class Tally:
    asked: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """The number of requests by outcome: a status, `cut`, or `client left`."""
    violations: list[str] = field(default_factory=list)

    def count(self, request: Request, answer: client.Answer | None) -> None:
        self.asked[request.kind] += 1
        if answer is None:
            self.ended["client left"] += 1
            return
        self.ended[str(answer.status) if answer.whole else "cut"] += 1
        if wrong := client.faults(request, answer):
            self.violate(request, wrong)

    def violate(self, request: Request, what: str) -> None:
        self.violations.append(f"{request.kind} {request.plans}: {what}")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    both = ["gunicorn", "waitress"]
    servers = both if arguments.server == "both" else [arguments.server]
    wrong = 0
    with _upstream() as upstream_port:
        for server in servers:
            wrong += _soak(server, upstream_port, arguments, len(servers))
    return 1 if wrong else 0


def _soak(
    server: str, upstream_port: int, arguments: argparse.Namespace, servers: int
) -> int:
    """Runs the soak. Returns the number of violations."""
    requests = arguments.requests // servers
    warm_up = int(requests * WARM_UP)
    clients, seed = arguments.clients, arguments.seed
    port = free_port()
    command = _command(server, port, clients)
    with running(command, _env(upstream_port)) as pid:
        wait_until_answering(f"http://127.0.0.1:{port}/health", pid)
        started = time.monotonic()
        tally = Tally()
        asyncio.run(_send(tally, port, warm_up, clients, f"{seed} warm-up"))
        most_threads = _threads(clients) + OTHER_THREADS
        normal = usage.settled(pid, upstream_port, most_threads)
        asyncio.run(_send(tally, port, requests - warm_up, clients, str(seed)))
        after = usage.settled(pid, upstream_port, most_threads, normal.descriptors)
        seconds = time.monotonic() - started
    leaks = usage.leaks(normal, after, most_threads, MEMORY_MB)
    for each in [*tally.violations[:SHOWN], *leaks]:
        print(f"VIOLATION {each}")
    print(
        f"{server}: {sum(tally.asked.values())} requests in {seconds:.0f} s, "
        f"seed {seed}\n"
        f"  asked   {_counts(tally.asked)}\n"
        f"  ended   {_counts(tally.ended)}\n"
        f"  before  {normal.line()}\n"
        f"  after   {after.line()}\n"
        f"  wrong answers {len(tally.violations)}, leaks {len(leaks)}",
        flush=True,
    )
    return len(tally.violations) + len(leaks)


async def _send(
    tally: Tally, port: int, requests: int, clients: int, seed: str
) -> None:
    all_of_them = [
        _one_client(tally, port, (requests + number) // clients, f"{seed} {number}")
        for number in range(clients)
    ]
    await asyncio.gather(*all_of_them)


async def _one_client(tally: Tally, port: int, requests: int, seed: str) -> None:
    dice = random.Random(seed)
    connection = client.Connection(port)
    for _ in range(requests):
        request = draw(dice)
        try:
            async with asyncio.timeout(client.MAX_WAIT):
                tally.count(request, await connection.ask(request))
        except (TimeoutError, OSError, EOFError, ValueError, LookupError) as ex:
            tally.violate(request, f"lost: {ex!r}")
            connection.close()
    connection.close()


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def _command(server: str, port: int, clients: int) -> list[str]:
    command = [sys.executable, "-m", "octomil_ref", "serve", "--server", server]
    return [*command, "--port", str(port), "--threads", str(_threads(clients))]


def _threads(clients: int) -> int:
    # A client that left holds a thread a little longer.
    return 2 * clients + SPARE_THREADS


def _env(upstream_port: int) -> dict[str, str]:
    return {
        "OLLAMA_BASE_URL": f"http://127.0.0.1:{upstream_port}",
        "OPENAI_API_ENDPOINT": f"http://127.0.0.1:{upstream_port}/v1",
        "OCTOMIL_API_KEYS": client.TOKEN,
        "LLM_BACKEND_TIMEOUT": str(TIMEOUT),
        "OCTOMIL_BACKEND_COOLDOWN": "0",  # each request meets the acts of its own plan
        "OCTOMIL_LOG_LEVEL": "WARNING",
        **NO_THREAD_CACHES,
    }


@contextmanager
def _upstream() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.soak.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline().split()[1])
        finally:
            process.terminate()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--server", choices=["gunicorn", "waitress", "both"], default="both"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
