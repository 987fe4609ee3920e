"""Finds out which check, and which of its expectations, detects which mutant.

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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import itemgetter

from octomil_conformance import checks, runner
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import BASE_PATH, Config, CouldNotTest, parse_claims
from octomil_conformance.expect import collected
from octomil_conformance.requirement import half
from octomil_conformance.run import Verdict
from octomil_conformance.server import mutants, variants
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import Request, Response, Server, around
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, served, where_claimed
from octomil_conformance.server.subjects import Subject
from octomil_conformance.server.variants import ALL, all_variants

TOKEN = "conf-token-4711"
TIMEOUT = 1.0
"""Seconds that a mutant waits for a backend."""
UNHURRIED = 2.0
"""Seconds that a conformant server waits, which has to pass hundreds of checks in time on a busy machine too."""
AT_ONCE = 6
"""Processes at once. More than half of their time they wait, and other tests run beside them."""
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
SLOW = ("infer_is_accepted", "embed_is_accepted", "no_timeout", "bad_news_takes_its_time", "outages_take_their_time", "health_unbounded")  # fmt: skip
"""Started first, so that the others run beside them."""
LOOKS_AT_ALL = "HTTP-25"
TOGETHER = {
    "freedoms of streams": (
        *("no_store", "more_in_events", "bare_final_event", "letter_by_letter", "no_space", "id_after_data", "named_events"),
        *("comments", "more_blank_lines", "ends_with_done", "crlf", "split_in_characters", "byte_by_byte"),
    ),
    "freedoms of answers": (
        *("null_fields", "more_fields", "whole_milliseconds", "other_order", "spaced_json", "other_labels"),
        *("refuses_with_422", "other_challenge", "long_request_ids", "gzipped", "header_case"),
        "prompts_stay_whole_ollama",
    ),
    "other freedoms of answers": (
        *("fewer_fields", "bare_vectors", "gateway_is_503", "chunked"),
        *("newer_words_openai", "cools_down"),
    ),
    "freedoms that level 2 does not have": (
        *("structured_output", "zero_milliseconds", "one_token"),
        *("strict_about_types", "one_request_a_connection"),
    ),
}  # fmt: skip
"""Conformant servers that use many freedoms at once, the first innermost. They are judged by the highest claims, each freedom alone at level 0."""
ONE_UPSTREAM = "one upstream"
"""The name of a conformant server that has only Ollama."""


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
        return half(self.requirement, self.through)


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
class Job:
    name: str
    """The name of a mutant or variant. Any other name is a conformant server."""
    claims: Mapping[str, int]
    only: frozenset[str] = frozenset()
    """Requirements, or halves of them; empty for all that the claims bring."""
    timeout: float = TIMEOUT


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
        return replace(self, results=results, again=[name for name in self.again if name in names])  # fmt: skip

    def killers(self) -> dict[tuple[str, str], list[str]]:
        """Maps (requirement with its upstream, check) to the mutants that the check finds."""
        found: dict[tuple[str, str], list[str]] = {}
        for result in self.results.values():
            for key in {(cell.named, cell.check) for cell in result.cells}:
                found.setdefault(key, []).append(result.name)
        return found


@cache
def upstreams_of(requirement: str) -> tuple[Provider | None, ...]:
    """The upstreams through which the checks of a requirement go. A test shows that they are the same for all of them."""
    return next(each.through for each in runner.all_checks() if each.requirement.id == requirement)  # fmt: skip


def halves(through: Provider | None = None) -> frozenset[str]:
    """All requirements. If the checks of one go through each upstream, only the half with this upstream, or with the first."""
    checked = {check.requirement.id: check.through for check in runner.all_checks()}
    return frozenset(
        half(name, through if through in each else each[0])
        for name, each in checked.items()
    )


def declared(mutant: Subject) -> frozenset[str]:
    """The requirements that a run must find, each with its upstream."""
    return frozenset(
        half(name, through)
        for name in mutant.violates
        for through in ([None] if "[" in name else upstreams_of(name))
        if not through or mutant.through in (None, through)
    )


def violated(mutant: Subject) -> frozenset[str]:
    """What a mutant violates, through the upstreams where it does. Empty, for all of a small claim, if LOOKS_AT_ALL is among it: its check reads all exchanges."""
    names, small = declared(mutant), max(mutant.claims.values()) < 2
    return frozenset() if LOOKS_AT_ALL in names and small else names


def mutant_jobs() -> list[Job]:
    """Each mutant against the requirements that it violates. A run with --own shows that the others pass."""
    return [Job(each.name, each.claims, violated(each)) for each in all_mutants().values()]  # fmt: skip


def conformant_jobs() -> list[Job]:
    """Conformant servers, the longest runs first."""
    unhurried = partial(Job, timeout=UNHURRIED)
    return [
        unhurried("conformant", parse_claims(ALL.split())),
        *(
            unhurried(name, combined(names).claims, halves(combined(names).through))
            for name, names in TOGETHER.items()
        ),
        unhurried(ONE_UPSTREAM, {"infer": 2}),
        *(
            unhurried(each.name, _alone(each), _heard_by(each))
            for each in all_variants().values()
        ),
    ]


def _alone(variant: Subject) -> Mapping[str, int]:
    """The claims for a variant alone: level 0 if it is judged together with others at level 2."""
    if not any(variant.name in names for names in TOGETHER.values()):
        return variant.claims
    return {name: 0 for name in variant.claims if name != "auth"}


def _heard_by(variant: Subject) -> frozenset[str]:
    """The requirements whose checks can tell it from another server; empty for all."""
    if variant.upstreams is Subject.upstreams:
        return halves()  # a layer does not know which upstream answers
    return halves(variant.through) if variant.through else frozenset()


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
    """Empty if the run found what the mutant declares, whatever else it found."""
    missed = sorted(declared(mutant) - result.found)
    return "\n".join(missed and [f"not found: {', '.join(missed)}", result.problem])


def play(job: Job) -> Result:
    """Runs in another process, one job after the other."""
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
    return Result(job.name, run.conclusion(), tuple(sorted(cells, key=str)), run.seconds)  # fmt: skip


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
    """Notes in which line of a check a finding is expected."""

    def append(self, finding):
        caller = inspect.currentframe().f_back
        expected = caller.f_code.co_name == "expect"
        finding.line = caller.f_back.f_lineno if expected else 0
        super().append(finding)


@cache
def _backend(timeout: float) -> ScriptedBackend:
    """A backend of this process, which runs until the process ends."""
    logging.disable()
    return ScriptedBackend(ollama=ANY_PORT, openai=ANY_PORT, timeout=timeout).__enter__()  # fmt: skip


@contextmanager
def server(name: str, backend: ScriptedBackend) -> Iterator[str]:
    """The URL of a mutant or variant; of a conformant server for any other name."""
    subjects = {**all_mutants(), **all_variants()}
    subject = combined(TOGETHER[name]) if name in TOGETHER else subjects.get(name)
    openai = "" if name == ONE_UPSTREAM else backend.openai_url
    upstreams = Upstreams(backend.ollama_url, openai, backend.timeout)
    with serving(served(upstreams, TOKEN, subject), TOKEN) as url:
        yield url


def combined(names: Iterable[str]) -> Subject:
    """One server with the layers and the upstreams of all of these variants."""
    parts = [all_variants()[name] for name in names]
    levels = sorted((item for each in parts for item in each.claims.items()), key=itemgetter(1))  # fmt: skip
    through = {each.through for each in parts} & {"openai"}

    def layer(request: Request, server: Server) -> Response:
        for each in parts:
            server = around(server, where_claimed(each.layer, each.claims))
        return server(request)

    def upstreams(given: Upstreams) -> Upstreams:
        for each in parts:
            given = each.upstreams(given)
        return given

    # With an upstream that is not the first, the halves that it answers are judged. Layers do not know which one answers.
    return replace(parts[0], claims=dict(levels), layer=layer, upstreams=upstreams, through=next(iter(through), None))  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--own", action="store_true", help="everything in its claim")
    parser.add_argument("--full", action="store_true", help="everything against everything")  # fmt: skip
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
        mutant, result = every[name], matrix.results[name]
        words = judged(mutant, result)
        wrong += bool(words)
        print(f"{'WRONG' if words else 'killed'} {name} {result.seconds:.1f} s: {mutant.sentence}")  # fmt: skip
        print(f"  {', '.join(sorted(result.found))}\n{words}")
    print(f"{len(names)} mutants, {wrong} not as declared, {matrix.seconds:.0f} s")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
