"""A run: its verdicts and its conclusion."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from octomil_conformance.backend.interface import Backend
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import Config, Expectation
from octomil_conformance.exchange import CLOSED, GONE, Exchange
from octomil_conformance.expect import NO_EVIDENCE, Evidence, Finding
from octomil_conformance.spec import Requirement

Outcome = Literal["pass", "fail", "warn", "error", "untestable", "expected"]
FAULTS: tuple[Outcome, ...] = ("fail", "expected", "error")
"""The outcomes that blame an exchange."""
MAY_BE_EXPECTED: tuple[Outcome, ...] = ("expected", "untestable")

Conclusion = Literal[
    "conformant", "partial", "not conformant", "could not test", "suite at fault"
]
EXIT_CODES: dict[Conclusion, int] = {
    "conformant": 0,
    "partial": 0,
    "not conformant": 1,
    "could not test": 3,
    "suite at fault": 4,
}


@dataclass(frozen=True)
class Verdict:
    requirement: Requirement
    profile: str
    check: str
    """The name of the check, a sentence."""
    outcome: Outcome
    seconds: float = 0.0
    evidence: Evidence = NO_EVIDENCE
    """The evidence of the first finding."""
    reason: str = ""
    """Why it could not be tested or is expected, or how the suite failed."""
    exchanges: tuple[Exchange, ...] = ()
    findings: tuple[Finding, ...] = ()
    through: Provider | None = None
    """The upstream that had to answer, if the check names one."""
    asked: tuple[str, ...] = ()
    """If it found a fault: the upstreams that the server called meanwhile, in order, and why one refused the request."""

    def has_problem(self, beginning: str) -> bool:
        """True if a request had a problem that begins like this."""
        return any(each.problem.startswith(beginning) for each in self.exchanges)

    def is_covered(self, by: Expectation) -> bool:
        return by.covers(self.requirement.id, self.profile, self.through)


@dataclass
class Run:
    config: Config
    verdicts: list[Verdict] = field(default_factory=list)
    recorded: bool = False
    """True for recordings. Verdicts that a recording cannot give do not count against it."""
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    unknown: list[str] = field(default_factory=list)
    """Requests of the server that the scripted backend does not know."""
    refused: list[str] = field(default_factory=list)
    """The failures that plain requests got, each with its profile."""

    def end(self, backend: Backend | None) -> None:
        self.seconds = time.monotonic() - self.started
        self.unknown = backend.unknown() if backend else []

    def notes(self) -> list[str]:
        """Sentences about the run that are no verdict."""
        unknown = ", which the scripted backend does not have"
        first = ": begin with this, because most other findings follow from it"
        return [
            *(f"the server called {each}{unknown}" for each in self.unknown),
            *(f"a plain request to {each}{first}" for each in self.refused),
            *self._load(),
            *self._end_of_the_server(),
        ]

    def _load(self) -> Iterator[str]:
        """A sentence if the server may answer fewer requests at once than the suite sends."""
        failed = {
            v.requirement.id for v in self.verdicts if v.outcome in ("fail", "warn")
        }
        if self.config.workers > 1 and failed & {"INFER-14", "BATCH-23"}:
            yield "INFER-14 or BATCH-23 failed: if the server answers only a few requests at once, run the suite with --at-once 1"

    def _end_of_the_server(self) -> Iterator[str]:
        """A sentence if the server was no longer there at some time of the run."""
        gone = sum(each.has_problem(GONE) for each in self.verdicts)
        last = [each for each in self.verdicts if each.has_problem(CLOSED)]
        names = ", ".join(f"{each.requirement.id} ({each.check})" for each in last[:9])
        if gone:
            yield f"the server was not there in {gone} checks: it ended during the run. It closed the connection of: {names or 'no check'}"

    def stale(self) -> list[Expectation]:
        """Expected failures that did not occur although they could have."""
        open_ = [each for each in self.verdicts if each.outcome in MAY_BE_EXPECTED]
        return [
            expectation
            for expectation in self.config.expected
            if not any(verdict.is_covered(expectation) for verdict in open_)
        ]

    def counts(self) -> Counter[Outcome]:
        return Counter(verdict.outcome for verdict in self.verdicts)

    def conclusion(self) -> Conclusion:
        counts = self.counts()
        if counts["error"]:
            return "suite at fault"
        if counts["fail"] or self.stale() or (self.config.strict and counts["warn"]):
            return "not conformant"
        if counts["untestable"] and not self.recorded or not counts["pass"]:
            return "could not test"
        return "partial" if counts["expected"] else "conformant"
