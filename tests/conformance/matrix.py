"""Runs of the suite against mutants, variants and the two good servers, several at once, each process with a backend of its own."""

import logging
import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from octomil_conformance import findings
from octomil_conformance import run as run_of_checks
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.catalogue import all_checks
from octomil_conformance.config import BASE_PATH, Config, CouldNotTest
from octomil_conformance.findings import Evidence
from octomil_conformance.server.http_server import ANY_PORT, serving
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, served
from octomil_conformance.server.variants import all_variants
from octomil_conformance.session import judge

TOKEN = "conf-token-4711"
TIMEOUT = 1.0
"""Seconds that a server waits for a backend."""
AT_ONCE = 5
"""Processes. Most of their time is spent waiting."""
MOST_AGAIN = 10
ONE_UPSTREAM = "one upstream"
"""The name of a conformant server that is told of Ollama alone."""


@dataclass(frozen=True)
class Cell:
    """A check that did not pass."""

    requirement: str
    check: str
    """Its sentence, without the case."""
    outcome: str
    told: str
    line: int
    """Of the check's source: where it failed. 0: below the check."""

    def __str__(self):
        return f"{self.outcome} {self.requirement} {self.check}: {self.told}"


@dataclass(frozen=True)
class Result:
    name: str
    conclusion: str
    cells: tuple[Cell, ...]
    passed: frozenset[tuple[str, str]]
    """(requirement, check) of those that passed in every case."""
    seconds: float
    problem: str = ""
    """The run itself went wrong."""

    @property
    def found(self) -> frozenset[str]:
        return frozenset(cell.requirement for cell in self.cells)

    def __str__(self):
        return "\n".join([self.problem or self.conclusion, *map(str, self.cells)])


def results(
    jobs: Iterable["Job"], surprising: Callable[[Result], bool], again: list[str]
) -> dict[str, Result]:
    """By name. A surprise on a busy machine is played again on its own, its name noted in `again`; the second time counts."""
    jobs = {job.name: job for job in jobs}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, context) as pool:
        found = dict(zip(jobs, pool.map(play, jobs.values()), strict=True))
    surprises = [name for name in found if surprising(found[name])]
    with ProcessPoolExecutor(1, context) as pool:
        second = pool.map(play, [jobs[name] for name in surprises[:MOST_AGAIN]])
        found |= zip(surprises, second)
    again += surprises
    return found


@dataclass(frozen=True)
class Job:
    name: str
    """Of a mutant or variant; any other one is a conformant server."""
    claims: Mapping[str, int]
    only: frozenset[str] = frozenset()
    """Requirements; none for all that the claims bring."""


def play(job: Job) -> Result:
    """For a process of its own: it silences all logs and changes the suite and the reference for as long as the process lasts."""
    try:
        return _play(job)
    except CouldNotTest as ex:
        return Result(job.name, "could not test", (), frozenset(), 0, f"could not test: {ex}")  # fmt: skip
    except Exception:  # noqa: BLE001 - it crosses a process as text
        return Result(job.name, "", (), frozenset(), 0, traceback.format_exc())


@dataclass(frozen=True)
class _Placed(Evidence):
    line: int


def _evidence(ex: AssertionError, mask: findings.Mask) -> _Placed:
    """With the line of the check that did not hold."""
    lines = [
        line
        for frame, line in traceback.walk_tb(ex.__traceback__)
        if frame.f_code.co_name in _names()
    ]
    return _Placed(**vars(findings.evidence(ex, mask)), line=(lines or [0])[-1])


@cache
def _names() -> frozenset[str]:
    return frozenset(check.__name__ for check in all_checks())


def _play(job: Job) -> Result:
    run_of_checks.evidence = _evidence
    backend = _backend()
    with server(job.name, backend) as url:
        config = Config(
            url + BASE_PATH, job.claims, token=TOKEN, backend_timeout=TIMEOUT
        )
        run = judge(config, only=job.only, backend=backend)
    cells = {
        Cell(
            verdict.requirement.id,
            verdict.check.split(" (")[0],
            verdict.outcome,
            verdict.reason or f"got {verdict.evidence.got}",
            getattr(verdict.evidence, "line", 0),
        )
        for verdict in run.verdicts
        if verdict.outcome != "pass"
    }
    failed = {(cell.requirement, cell.check) for cell in cells}
    ran = {
        (verdict.requirement.id, verdict.check.split(" (")[0])
        for verdict in run.verdicts
    }
    return Result(
        job.name,
        run.conclusion(),
        tuple(sorted(cells, key=str)),
        frozenset(ran - failed),
        run.seconds,
        "\n".join(run.faults),
    )


@cache
def _backend() -> ScriptedBackend:
    """One a process, up until it ends."""
    logging.disable()
    return ScriptedBackend(ollama=ANY_PORT, openai=ANY_PORT, timeout=TIMEOUT).__enter__()  # fmt: skip


@contextmanager
def server(name: str, backend: ScriptedBackend) -> Iterator[str]:
    """The URL of a mutant or variant; of a conformant server for any other name."""
    subject = {**all_mutants(), **all_variants()}.get(name)
    openai = "" if name == ONE_UPSTREAM else backend.openai_url
    upstreams = Upstreams(backend.ollama_url, openai, TIMEOUT)
    with serving(served(upstreams, TOKEN, subject), TOKEN) as url:
        yield url
