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
from octomil_conformance.backend import API_KEY, ScriptedBackend
from octomil_conformance.catalogue import all_checks
from octomil_conformance.config import BASE_PATH, Config, CouldNotTest
from octomil_conformance.findings import Evidence
from octomil_conformance.server import served
from octomil_conformance.server.faults import FAULTS
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import Ask, around
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.variants import all_variants
from octomil_conformance.session import judge
from wsgi import server_of

from octomil_ref import health
from octomil_ref.app import create_app
from octomil_ref.settings import Settings

TOKEN = "conf-token-4711"
TIMEOUT = 1.0
"""Seconds that a server waits for a backend."""
AT_ONCE = 5
"""Processes. Most of their time is spent waiting."""
MOST_AGAIN = 10
ANY_PORT = ("127.0.0.1", 0)


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
    """Of a mutant, fault or variant; any other one is a good server."""
    claims: Mapping[str, int]
    only: frozenset[str] = frozenset()
    """Requirements; none for all that the claims bring."""
    served: bool = False
    """As `octomil-conformance serve` has it, instead of around the reference."""


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
    with server(job.name, backend, job.served) as url:
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
def server(
    name: str, backend: ScriptedBackend, as_served: bool = False
) -> Iterator[str]:
    """Its URL. `name` and `as_served` as in a Job."""
    with serving(_server(name, backend, as_served), TOKEN) as url:
        yield url


def _server(name: str, backend: ScriptedBackend, as_served: bool) -> Ask:
    subject = {**all_mutants(), **all_variants()}.get(name)
    upstreams = served.Upstreams(backend.ollama_url, backend.openai_url, TIMEOUT)
    if as_served:
        return served.served(upstreams, TOKEN, subject)
    if name in FAULTS:
        return served.app(upstreams, TOKEN, [name])
    if subject:
        health.CACHE_SECONDS = 0  # seconds; a run of the reference itself keeps its own
    reference = server_of(create_app(settings(backend)))
    return around(reference, subject.layer) if subject else reference


def settings(backend: ScriptedBackend) -> Settings:
    return Settings(
        ollama_base_url=backend.ollama_url,
        openai_api_endpoint=backend.openai_url,
        openai_api_key=API_KEY,
        backend_timeout=TIMEOUT,
        backend_cooldown=0,
        api_keys=(TOKEN,),
        log_level="CRITICAL",
    )
