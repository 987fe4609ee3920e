"""Runs the suite against mutants, and finds out which expectation of which check detects each mutant.

python tests/conformance/kill_matrix.py             each mutant against the requirements that it violates
python tests/conformance/kill_matrix.py --own       each mutant against its own claim, with every finding
python tests/conformance/kill_matrix.py --full      each mutant against all profiles at all levels
python tests/conformance/kill_matrix.py NAME...     some of them
"""

import argparse
import inspect
import logging
import multiprocessing
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

from jobs import ONE_UPSTREAM, TOGETHER, Job, combined, declared, violated
from octomil_conformance import checks, runner
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import BASE_PATH, Config, CouldNotTest, parse_claims
from octomil_conformance.expect import collected
from octomil_conformance.requirement import id_through
from octomil_conformance.run import Verdict
from octomil_conformance.server import mutants, variants
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, served
from octomil_conformance.server.subjects import Subject
from octomil_conformance.server.variants import ALL, all_variants

TOKEN = "conf-token-4711"
AT_ONCE = 6
"""The number of processes. Each waits for more than half of its time, and other tests run at the same time."""
IMPORTED = [
    *("octomil_conformance.runner", "octomil_conformance.server.served"),
    *(
        module.name
        for package in (checks, mutants, variants)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ),
]
AGAIN_FOR = 120.0
"""Seconds after which surprising results are no longer repeated."""
SLOW = [
    "health_always_ok",
    "ok_is_degraded",
    "degraded_is_ok",
    "results_are_backwards",
    "spaces_are_lost",
    "failures_are_kept",
    "upstreams_need_a_page",
    "a_batch_has_one_timeout",
]
"""Started first, so that they run at the same time as the others."""


@dataclass(frozen=True)
class Cell:
    """A check that did not pass, in one of its cases and profiles."""

    requirement: str
    check: str
    """Its name."""
    outcome: str
    words: str
    lines: frozenset[int]
    """Lines of the expectations that did not hold. 0 for a finding in a function that the check calls."""
    through: Provider | None = None

    def __str__(self):
        return f"{self.outcome} {self.named} {self.check}: {self.words}"

    @property
    def named(self) -> str:
        return id_through(self.requirement, self.through)


@dataclass(frozen=True)
class Result:
    name: str
    conclusion: str
    cells: tuple[Cell, ...]
    seconds: float
    problem: str = ""
    """Why the run itself failed."""

    @property
    def found(self) -> frozenset[str]:
        """Requirements, each with the upstream that had to answer if the check names one: `STREAM-21[openai]`."""
        return frozenset(cell.named for cell in self.cells)

    def __str__(self):
        return "\n".join([self.problem or self.conclusion, *map(str, self.cells)])


@dataclass(frozen=True)
class Matrix:
    results: dict[str, Result]
    """By the name of the job."""
    seconds: float
    again: list[str]
    """The jobs that ran twice, because the first result was a surprise."""

    def of(self, names: Collection[str]) -> "Matrix":
        """The part about these jobs."""
        results = {name: each for name, each in self.results.items() if name in names}
        again = [name for name in self.again if name in names]
        return replace(self, results=results, again=again)

    def killers(self) -> dict[tuple[str, str], list[str]]:
        """Maps (requirement with its upstream, check) to the mutants that the check finds."""
        found: dict[tuple[str, str], list[str]] = {}
        for result in self.results.values():
            for key in {(cell.named, cell.check) for cell in result.cells}:
                found.setdefault(key, []).append(result.name)
        return found


def played(
    jobs: list[Job], surprising: Callable[[Result], bool], at_once: int = AT_ONCE
) -> Matrix:
    """Runs the jobs. A surprising result, which a busy machine can cause, is repeated alone. Then the second result counts."""
    began = time.monotonic()
    jobs = sorted(jobs, key=lambda job: job.name not in SLOW)
    found = {result.name: result for result in _processes(at_once).map(play, jobs)}
    again = [job for job in jobs if surprising(found[job.name])]
    until = time.monotonic() + AGAIN_FOR
    for job in again:
        if time.monotonic() < until:
            found[job.name] = _processes(1).submit(play, job).result()
    return Matrix(found, time.monotonic() - began, [job.name for job in again])


@cache
def _processes(count: int) -> ProcessPoolExecutor:
    """Processes that are kept, and forked from one that has imported the suite, because imports take longer than most jobs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return ProcessPoolExecutor(count, context)


def is_surprise(result: Result) -> bool:
    if mutant := all_mutants().get(result.name):
        return difference(mutant, result) != ""
    return result.name != ONE_UPSTREAM and result.cells != ()


def difference(mutant: Subject, result: Result) -> str:
    """Empty if the run found exactly what the mutant declares."""
    missed = sorted(declared(mutant) - result.found)
    more = sorted(result.found - declared(mutant))
    wrong = [f"not found: {', '.join(missed)}"] * bool(missed)
    wrong += [f"found too: {', '.join(more)}"] * bool(more)
    wrong += [result.problem] * bool(result.problem)
    return "\n".join(wrong and [*wrong, str(result)])


def missing(mutant: Subject, result: Result) -> str:
    """Empty if the run found what the mutant declares. It may have found more."""
    missed = sorted(declared(mutant) - result.found)
    return "\n".join(missed and [f"not found: {', '.join(missed)}", result.problem])


def play(job: Job) -> Result:
    """Runs one job. A worker process calls it for one job after the other."""
    try:
        return _play(job)
    except CouldNotTest as ex:
        return Result(job.name, "could not test", (), 0, f"could not test: {ex}")
    except Exception:  # noqa: BLE001 - it crosses a process as text
        return Result(job.name, "", (), 0, traceback.format_exc())


def _play(job: Job) -> Result:
    runner.collected = lambda: collected(_Located())
    backend = _backend(job.timeout)
    with server(job.name, backend) as url:
        url += BASE_PATH
        config = Config(url, job.claims, token=TOKEN, backend_timeout=job.timeout)
        run = runner.judge(config, only=job.only, backend=backend)
    cells = {_cell(verdict) for verdict in run.verdicts if verdict.outcome != "pass"}
    ordered = tuple(sorted(cells, key=str))
    return Result(job.name, run.conclusion(), ordered, run.seconds)


def _cell(verdict: Verdict) -> Cell:
    return Cell(
        verdict.requirement.id,
        verdict.check.split(" (")[0].replace(" ", "_"),
        verdict.outcome,
        verdict.reason or f"got {verdict.evidence.got}",
        frozenset(finding.line for finding in verdict.findings),
        verdict.through,
    )


class _Located(list):
    """Findings, each with the line of the check in which `expect` found it."""

    def append(self, finding):
        caller = inspect.currentframe().f_back
        expected = caller.f_code.co_name == "expect"
        finding.line = caller.f_back.f_lineno if expected else 0
        super().append(finding)


@cache
def _backend(timeout: float) -> ScriptedBackend:
    """A backend of this process, which runs until the process ends."""
    logging.disable()
    return ScriptedBackend(ANY_PORT, ANY_PORT, timeout=timeout).__enter__()


@contextmanager
def server(name: str, backend: ScriptedBackend) -> Iterator[str]:
    """The URL of a mutant or variant; of a conformant server for any other name."""
    subjects = {**all_mutants(), **all_variants()}
    subject = combined(TOGETHER[name]) if name in TOGETHER else subjects.get(name)
    openai = "" if name == ONE_UPSTREAM else backend.openai_url
    upstreams = Upstreams(backend.ollama_url, openai, backend.timeout)
    with serving(served(upstreams, TOKEN, subject), TOKEN) as url:
        yield url


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--own", action="store_true", help="everything in its claim")
    parser.add_argument("--full", action="store_true", help="everything in all claims")
    given = parser.parse_args()
    every = all_mutants()
    names = given.names or list(every)
    judged = missing if given.full else difference
    jobs = [
        Job(
            name,
            parse_claims(ALL.split()) if given.full else every[name].claims,
            frozenset() if given.full or given.own else violated(every[name]),
        )
        for name in names
    ]
    matrix = played(jobs, lambda each: judged(every[each.name], each) != "")
    wrong = 0
    for name in names:
        result = matrix.results[name]
        words = judged(every[name], result)
        wrong += bool(words)
        verdict = "WRONG" if words else "killed"
        print(f"{verdict} {name} {result.seconds:.1f} s: {every[name].sentence}")
        print(f"  {', '.join(sorted(result.found))}\n{words}")
    print(f"{len(names)} mutants, {wrong} not as declared, {matrix.seconds:.0f} s")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
