"""Level 0 on recordings: every check of `wire/`, and the schemas of openapi.json. The verdicts are those of a live run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from octomil_conformance import wire
from octomil_conformance.api import Api, answered
from octomil_conformance.checks.whole_run import every_response_matches_its_schema
from octomil_conformance.config import Config
from octomil_conformance.exchange import WHOLE
from octomil_conformance.expect import NotRecorded
from octomil_conformance.recordings.consequences import traced
from octomil_conformance.recordings.recording import Recording, look
from octomil_conformance.requirement import Check
from octomil_conformance.run import FAULTS, Run, Verdict
from octomil_conformance.runner import Task, judged
from octomil_conformance.target import Target

OF_FAILURES = ("json_is_strict", "json_is_labelled_as_json")
"""The checks that hold for the body of a failure, too."""


def judge(
    recordings: Sequence[Recording],
    config: Config,
    report: Callable[[Verdict], object] = lambda verdict: None,
) -> Run:
    run = Run(config, recorded=True)
    for recording in recordings:
        for verdict in explained(recording, config):
            run.verdicts.append(verdict)
            report(verdict)
    run.seconds = time.monotonic() - run.started
    return run


def explained(recording: Recording, config: Config) -> list[Verdict]:
    """The verdicts, with a single failure for each fault of the framing."""
    return traced(
        recording.exchange,
        verdicts(recording, config),
        lambda mended: verdicts(replace(recording, exchange=mended), config),
    )


def verdicts(recording: Recording, config: Config) -> list[Verdict]:
    """Each recording has a target of its own: the schema binds a response in which no check found a fault."""
    target = Target(config)
    found = []
    for check in (*checks_for(recording, config), every_response_matches_its_schema):
        run = _on(recording, check)
        verdict = judged(target, Task(check, recording.profile, recording.name, run))
        target.note(verdict.profile, verdict.exchanges, verdict.outcome in FAULTS)
        found.append(verdict)
    return found


def checks_for(recording: Recording, config: Config) -> list[Check]:
    return [
        check
        for check in wire.CHECKS
        if recording.profile in config.profiles_for(check.requirement)
        and (check.name in OF_FAILURES or not recording.is_failure)
    ]


def _on(recording: Recording, check: Check) -> Callable[[Api], None]:
    def run(api: Api) -> None:
        api.observe(recording.exchange)
        if check in wire.CHECKS:
            answered(recording.exchange)
            look(check, recording)
        elif recording.is_failure and recording.exchange.end not in WHOLE:
            raise NotRecorded("it was meant to break off, and did: no schema binds it")
        else:
            check(api)

    return run
