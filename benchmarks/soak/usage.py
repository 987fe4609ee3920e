"""The server's threads, file descriptors and memory, and the calls that are open at the upstream."""

import json
import os
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import family

MAX_WAIT = 30.0
"""Seconds within which the server must have released everything."""


@dataclass(frozen=True)
class Usage:
    threads: int
    descriptors: int
    """File descriptors, without those of idle connections to the upstream."""
    memory_mb: float
    answering: int
    """Answers that the upstream is giving."""

    def line(self) -> str:
        return (
            f"threads {self.threads}, descriptors {self.descriptors}, "
            f"memory {self.memory_mb:.1f} MB, upstream calls {self.answering}"
        )


def use(pid: int, upstream_port: int) -> Usage:
    with urllib.request.urlopen(f"http://127.0.0.1:{upstream_port}/open") as answer:
        opened = json.load(answer)
    if opened["errors"]:
        raise RuntimeError(f"the upstream met {opened['errors']}")
    processes = family(pid)
    return Usage(
        threads=sum(len(os.listdir(f"/proc/{each}/task")) for each in processes),
        descriptors=sum(len(os.listdir(f"/proc/{each}/fd")) for each in processes)
        - opened["connections"],
        memory_mb=sum(_proportional_mb(each) for each in processes),
        answering=opened["answering"],
    )


def _proportional_mb(pid: int) -> float:
    """The private memory of the process, and its share of shared memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [size] = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(size) / 1024


def settled(
    pid: int, upstream_port: int, threads: int, descriptors: int = 1_000_000
) -> Usage:
    """The usage once no call is open and it is within `threads` and `descriptors`, or after MAX_WAIT seconds."""
    until = time.monotonic() + MAX_WAIT
    while True:
        now = use(pid, upstream_port)
        given_back = not now.answering and now.descriptors <= descriptors
        if (given_back and now.threads <= threads) or time.monotonic() > until:
            return now
        time.sleep(0.2)


def leaks(before: Usage, after: Usage, threads: int, memory_mb: float) -> list[str]:
    """What grew too much between two usages. Up to `threads` threads in all and `memory_mb` more memory are allowed."""
    found = []
    if after.answering:
        found.append(f"{after.answering} upstream calls are still open")
    if after.threads > threads:
        found.append(f"{after.threads} threads, {threads} at most")
    if after.descriptors > before.descriptors:
        found.append(
            f"descriptors: {before.descriptors} before, {after.descriptors} after"
        )
    if after.memory_mb > before.memory_mb + memory_mb:
        found.append(
            f"memory: {before.memory_mb:.1f} MB before, {after.memory_mb:.1f} after"
        )
    return found
