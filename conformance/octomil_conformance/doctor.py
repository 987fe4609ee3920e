"""`octomil-conformance doctor`: one plain request to each endpoint, and what its response means for a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from octomil_conformance.config import PATHS, Config
from octomil_conformance.exchange import Exchange
from octomil_conformance.preflight import MODEL_HINT, first_answer
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import curl, seen
from octomil_conformance.schemas import schema_complaints
from octomil_conformance.target import Target

State = Literal["good", "absent", "in trouble"]


@dataclass(frozen=True)
class Diagnosis:
    state: State
    words: str


GOOD = Diagnosis("good", "good: this profile can be claimed")
ABSENT = Diagnosis("absent", f"no such endpoint, or no such model: {MODEL_HINT}")
REPORTS_HEALTH = (200, 503)


def run(config: Config) -> int:
    """Returns the exit code: 0 if a profile other than health can be claimed, and nothing is in trouble."""
    target = Target(config)
    states: dict[str, State] = {}
    for profile in PATHS:
        answer = first_answer(target, profile)
        diagnosis = diagnosed(answer, has_token=bool(config.token))
        states[profile] = diagnosis.state
        for line in _lines(profile, answer, diagnosis):
            print(redact(line, config.token))
    usable = [name for name in states if states[name] == "good" and name != "health"]
    return 0 if usable and "in trouble" not in states.values() else 3


def _lines(profile: str, answer: Exchange, diagnosis: Diagnosis) -> Iterator[str]:
    yield f"{profile:<7} {answer.request.url}"
    for text in (seen(answer), diagnosis.words, curl(answer)):
        yield f"{'':8}{text}"


def diagnosed(answer: Exchange, has_token: bool) -> Diagnosis:
    if answer.request.profile == "health" and answer.status in REPORTS_HEALTH:
        return _of_health(answer)
    if 200 <= answer.status < 300:
        return _of_answer(answer)
    if answer.status == 404:
        return ABSENT
    return Diagnosis("in trouble", _trouble(answer.status, has_token))


def _trouble(status: int, has_token: bool) -> str:
    match status:
        case 0:
            return "nothing answers here: is the server running, and is this its URL?"
        case 401 | 403:
            return "this token is refused" if has_token else "pass --token"
        case 502 | 503 | 504:
            return f"the server cannot reach a model: {MODEL_HINT}"
        case _:
            return f"an unexpected response: {MODEL_HINT}"


def _of_answer(answer: Exchange) -> Diagnosis:
    wrong = schema_complaints(answer)
    if answer.end not in ("complete", "closed"):
        wrong = ["the transfer breaks off"]
    elif answer.request.profile == "stream" and not answer.finals:
        wrong = ["no event has done: true"]
    elif answer.request.profile == "batch" and answer.field("failed"):
        wrong = ["inputs of the batch fail: the server cannot reach a model"]
    if wrong:
        return Diagnosis("in trouble", f"it answers, but {wrong[0]}")
    return GOOD


def _of_health(answer: Exchange) -> Diagnosis:
    status = answer.field("status")
    if status == "ok":
        return _of_answer(answer)
    if status in ("degraded", "unavailable"):
        which = "an upstream" if status == "degraded" else "every upstream"
        return Diagnosis("in trouble", f"it says {status}: {which} is down")
    return Diagnosis("in trouble", "it answers, but not with a report of section 8")
