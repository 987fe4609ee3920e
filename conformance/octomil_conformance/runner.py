"""Runs the checks of the claims, several at once, and makes a verdict of each.

A serial check runs when all others are done. Whatever happens in a check becomes its verdict.
"""

import importlib
import pkgutil
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial

from octomil_conformance import checks, wire
from octomil_conformance.api import Api
from octomil_conformance.backend import Backend
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Call, Provider
from octomil_conformance.config import Config
from octomil_conformance.exchange import Exchange
from octomil_conformance.expect import (
    NO_EVIDENCE,
    Finding,
    NotRecorded,
    collected,
    evidence,
    has_findings,
)
from octomil_conformance.preflight import ready, refusals
from octomil_conformance.report.redact import redact
from octomil_conformance.requirement import Check, checks_in, id_through
from octomil_conformance.run import FAULTS, Outcome, Run, Verdict
from octomil_conformance.target import Target

LONGEST = ("STREAM-26", "BATCH-37")
"""Requirements whose checks last long. They begin first, and run at the same time as the others."""
NEEDS_BOTH = {
    *(f"FALLBACK-{number:02}" for number in (*range(1, 13), 14)),
    *("HEALTH-21", "HEALTH-26", "HEALTH-28"),
    *("STREAM-34", "FAULT-16", "FAULT-17", "BATCH-27"),
}
"""Requirements that have no meaning unless the server knows both upstreams."""

FORMATTING = threading.Lock()
"""Python 3.11 parses source to mark a traceback, and miscounts its recursion if two threads do so at once."""


@cache
def all_checks() -> tuple[Check, ...]:
    names = pkgutil.iter_modules(checks.__path__, f"{checks.__name__}.")
    modules = [importlib.import_module(each.name) for each in names]
    return (*checks_in(*modules), *wire.CHECKS)


@dataclass(frozen=True, eq=False)
class Task:
    """A check for one profile, with one of its cases."""

    check: Check
    profile: str
    case: str
    run: Callable[[Api], object]
    through: Provider | None = None

    @property
    def sentence(self) -> str:
        return self.check.sentence(self.case, self.through)


def _run(check: Check, case: str, api: Api) -> None:
    if check not in wire.CHECKS:
        check(api, *check.cases[case])
        return
    faulty: list[Exchange] = []
    for exchange in api.specimens():
        check(exchange)
        faulty += [exchange] * has_findings()
    if faulty:
        api.observe(faulty[0])


def tasks(config: Config, only: Collection[str] = ()) -> list[Task]:
    """The checks of the claims, serial ones last. With `only`, just the checks of these ids, such as `STREAM-21` or `STREAM-21[openai]`."""
    found = [
        Task(check, profile, case, partial(_run, check, case), through)
        for check in all_checks()
        for profile in config.profiles_for(check.requirement)
        for case in check.cases
        for through in check.through
        if not only
        or {check.requirement.id, id_through(check.requirement.id, through)} & {*only}
    ]
    return sorted(found, key=lambda task: task.check.serial)


def judge(
    config: Config,
    report: Callable[[Verdict], object] = lambda verdict: None,
    only: Collection[str] = (),
    backend: Backend | None = None,
) -> Run:
    """Does a whole run. `backend` is a scripted backend that is already up. Raises UsageError or CouldNotTest."""
    with ready(config, backend) as target:
        run = Run(config, refused=refusals(target))
        for verdict in verdicts(target, tasks(config, only)):
            run.verdicts.append(verdict)
            report(verdict)
        run.end(target.backend)
        return run


def verdicts(target: Target, tasks: Sequence[Task]) -> Iterator[Verdict]:
    """The verdicts in the order of the tasks. Tasks that are not serial run ahead."""
    pool = ThreadPoolExecutor(target.config.workers, "check")
    try:
        parallel = [task for task in tasks if not task.check.serial]
        parallel.sort(key=lambda task: task.check.requirement.id not in LONGEST)
        ahead = {task: pool.submit(judged, target, task) for task in parallel}
        for task in tasks:
            if task in ahead:
                verdict = ahead[task].result()
            else:
                pool.shutdown()  # waits for all others; returns at once from then on
                verdict = judged(target, task)
            target.note(verdict.profile, verdict.exchanges, verdict.outcome in FAULTS)
            yield verdict
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def judged(target: Target, task: Task) -> Verdict:
    """Runs one check. Whatever happens in it becomes the verdict."""
    began = time.monotonic()
    left = target.started + target.config.run_seconds - began
    api = Api(target, task.profile, task.through, left)
    outcome, reason, findings = _came_of(task, api)
    api.close()
    if findings and (too_late := _too_late(target)):  # the check had less time
        outcome, reason, findings = "untestable", too_late, []
    if outcome == "pass" and not api.seen:
        outcome, reason = "error", "the check passed without an observation"
    mask = partial(redact, token=target.config.token)
    verdict = Verdict(
        task.check.requirement,
        task.profile,
        task.sentence,
        outcome,
        seconds=round(time.monotonic() - began, 3),
        evidence=evidence(findings[0], mask) if findings else NO_EVIDENCE,
        reason=reason,
        exchanges=tuple(api.seen),
        findings=tuple(findings),
        through=task.through,
        asked=_asked(api) if findings else (),
    )
    return _as_expected(verdict, target.config)


def _asked(api: Api) -> tuple[str, ...]:
    backend = api.target.backend
    return tuple(map(_called, backend.calls(api.nonce))) if backend else ()


def _called(call: Call) -> str:
    return f"{call.backend} ({call.refusal})" if call.refusal else call.backend


def _came_of(task: Task, api: Api) -> tuple[Outcome, str, list[Finding]]:
    if unable := _unable(api.target, task):
        return "untestable", unable, []
    outcome: Outcome = "pass"
    reason = ""
    with collected() as findings:
        try:
            task.run(api)
        except Finding as ex:
            findings.append(ex)
        except NotRecorded as ex:
            outcome, reason = "untestable", str(ex)
        except Exception:  # noqa: BLE001 - it becomes a verdict
            with FORMATTING:
                outcome, reason = "error", traceback.format_exc()
    if findings:
        is_must = task.check.requirement.force == "MUST"
        return "fail" if is_must else "warn", "", findings
    return outcome, reason, findings


def _unable(target: Target, task: Task) -> str:
    """Why a check cannot run; empty if it can."""
    if too_late := _too_late(target):
        return too_late
    needs_both = task.check.requirement.id in NEEDS_BOTH
    needed = {*BOTH} if needs_both else {task.through}
    missing = [each for each in BOTH if each in needed - target.wired]
    if missing:
        names = " and the ".join(missing)
        return f"the server never called the {names} backend, not even when it was the only one left: is it configured?"
    return ""


def _too_late(target: Target) -> str:
    """A sentence if the time of the run is over; else empty."""
    seconds = target.config.run_seconds
    if time.monotonic() < target.started + seconds:
        return ""
    return f"the {seconds:g} s of the whole run were over: try --timeout-factor 3"


def _as_expected(verdict: Verdict, config: Config) -> Verdict:
    if verdict.outcome not in ("fail", "warn"):
        return verdict
    for expectation in config.expected:
        if verdict.is_covered(expectation):
            words = " ".join(filter(None, [expectation.reason, expectation.link]))
            return replace(verdict, outcome="expected", reason=words)
    return verdict
