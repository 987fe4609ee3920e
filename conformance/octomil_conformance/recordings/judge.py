"""Level 0 on recordings: every check of `wire/` on each, and the schemas of openapi.json. The same verdicts as of live answers."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from octomil_conformance import wire
from octomil_conformance.api import Api, answered
from octomil_conformance.checks.test_http import (
    test_every_answer_matches_its_schema as matches_its_schema,
)
from octomil_conformance.config import Config, UsageError
from octomil_conformance.exchange import WHOLE
from octomil_conformance.findings import NotRecorded
from octomil_conformance.recordings.recording import Recording, look
from octomil_conformance.requirement import requirement_of
from octomil_conformance.run import Run, Verdict

OF_FAILURES = ("json_is_strict", "json_is_labelled_as_json")
"""What holds for the body of a failure, too."""


def judge(
    recordings: Sequence[Recording],
    config: Config,
    report: Callable[[Verdict], None] = lambda verdict: None,
) -> Run:
    if not __debug__:
        raise UsageError("python -O removes every assert, and with them the checks")
    run = Run(config, recorded=True)
    for recording in recordings:
        for verdict in verdicts(recording, config):
            run.verdicts.append(verdict)
            report(verdict)
    run.seconds = time.monotonic() - run.started
    return run


def verdicts(recording: Recording, config: Config) -> list[Verdict]:
    """In a run of its own: the schema binds an answer in which no check found a fault."""
    run = Run(config, recorded=True)
    for check in checks_for(recording):
        _judge(run, recording, check, partial(_wire_check, recording, check))
    _judge(run, recording, matches_its_schema, partial(_schema_check, recording))
    return run.verdicts


def checks_for(recording: Recording) -> list[wire.Check]:
    return [
        check
        for check in wire.CHECKS
        if recording.profile in requirement_of(check).profiles
        and (check.__name__ in OF_FAILURES or not recording.is_failure)
    ]


def _judge(
    run: Run,
    recording: Recording,
    check: Callable[..., object],
    judged: Callable[[Api], object],
) -> None:
    api = Api(run, recording.profile)
    api.observe(recording.exchange)
    words = check.__name__.removeprefix("test_").replace("_", " ")
    name = f"{words} ({recording.name})"
    verdict = run.judge(requirement_of(check), api, name, lambda: judged(api))
    run.verdicts.append(verdict)


def _schema_check(recording: Recording, api: Api) -> None:
    if recording.is_failure and recording.exchange.end not in WHOLE:
        raise NotRecorded("it was meant to break off, and did: no schema binds it")
    matches_its_schema(api)


def _wire_check(recording: Recording, check: wire.Check, _: Api) -> None:
    answered(recording.exchange)
    look(check, recording)
