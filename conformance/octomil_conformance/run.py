"""One run: what is shared by its checks, how a check is judged, and what came of it."""

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from octomil_conformance.api import OTHER_PROMPT, PROMPT, Api
from octomil_conformance.backend import Backend
from octomil_conformance.config import Config, Expectation
from octomil_conformance.exchange import Exchange
from octomil_conformance.findings import (
    NO_EVIDENCE,
    PARSING,
    Evidence,
    NotRecorded,
    evidence,
)
from octomil_conformance.report.redact import redact
from octomil_conformance.spec import Requirement

Outcome = Literal["pass", "fail", "warn", "error", "untestable", "expected"]

PLAIN: dict[str, dict[str, Any]] = {
    "infer": {},
    "stream": {},
    "batch": {},
    "embed": {"prompt": [PROMPT, OTHER_PROMPT]},
}
ODD: dict[str, list[dict[str, Any]]] = {
    "infer": [
        {"scenario": "unicode"},
        {"scenario": "empty"},
        {"scenario": "long"},
    ],
    "stream": [
        {"scenario": "unicode"},
        {"scenario": "empty"},
        {"scenario": "echo", "prompt": "one"},
        {"scenario": "echo", "prompt": " ".join(["word"] * 1000)},
    ],
    "batch": [{"scenario": "unicode"}, {"scenario": "http-500"}],
    "embed": [{"scenario": "echo", "prompt": "one"}],
}
"""What a model says rarely, and our backend when it is asked to."""

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
    """The check's name, a sentence."""
    outcome: Outcome
    seconds: float = 0.0
    evidence: Evidence = NO_EVIDENCE
    reason: str = ""
    """Why it could not be tested or is expected, or how the suite failed."""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.requirement.id}[{self.profile}]"


@dataclass
class Run:
    config: Config
    backend: Backend | None = None
    wired: frozenset[str] = frozenset()
    """The dialects that the server under test was seen to call."""
    verdicts: list[Verdict] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Of the suite, outside any check."""
    recorded: bool = False
    """Over recordings: what one of them lacks was not asked of it."""
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    _specimens: dict[str, list[Exchange]] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(
        default_factory=lambda: {name: threading.Lock() for name in (*PLAIN, "health")}
    )

    def judge(
        self, requirement: Requirement, api: Api, name: str, check: Callable[[], object]
    ) -> Verdict:
        """Runs one check. Whatever happens in it becomes a verdict."""
        unable = self._unable(requirement)
        if unable:
            return Verdict(requirement, api.profile, name, "untestable", reason=unable)
        began = time.monotonic()
        left = self.started + self.config.run_seconds - began
        api.begin(min(self.config.check_seconds, left))
        try:
            outcome, found, reason = self._came_of(requirement, check)
        finally:
            api.close()
        if outcome == "pass" and not api.seen:
            outcome, reason = "error", "the check passed without having seen anything"
        verdict = Verdict(
            requirement,
            api.profile,
            name,
            outcome,
            round(time.monotonic() - began, 3),
            found,
            reason,
            tuple(api.seen),
        )
        return self._as_expected(verdict)

    def specimens(self, api: Api) -> Iterator[Exchange]:
        """Asked when first wanted, then kept: the first is of the run's model."""
        profile, index = api.profile, 0
        count = 1 + (len(ODD.get(profile, ())) if self._gateway(profile) else 0)
        while index < count:
            with self._locks[profile]:
                kept = self._specimens.setdefault(profile, [])
                if index == len(kept):
                    kept.append(self._specimen(profile, index))
            yield kept[index]
            index += 1

    def seen(self, profile: str) -> tuple[list[Exchange], set[int]]:
        """Each exchange of a profile once, and the `id` of those in which a MUST was found broken."""
        mine = [verdict for verdict in self.verdicts if verdict.profile == profile]
        faults = ("fail", "expected", "error")
        found = [each for each in mine if each.outcome in faults]
        blamed = {id(seen) for each in found for seen in each.exchanges[-1:]}
        every = {id(seen): seen for each in mine for seen in each.exchanges}
        return [*every.values()], blamed

    def stale(self) -> list[Expectation]:
        """Expected failures that did not come, where they could have."""
        open_ = ("expected", "untestable")
        met = [verdict for verdict in self.verdicts if verdict.outcome in open_]
        return [
            expectation
            for expectation in self.config.expected
            if not any(
                expectation.covers(verdict.requirement.id, verdict.profile)
                for verdict in met
            )
        ]

    def counts(self) -> Counter[Outcome]:
        return Counter(verdict.outcome for verdict in self.verdicts)

    def conclusion(self) -> Conclusion:
        counts = self.counts()
        if self.faults or counts["error"]:
            return "suite at fault"
        if counts["fail"] or self.stale() or (self.config.strict and counts["warn"]):
            return "not conformant"
        if counts["untestable"] and not self.recorded or not counts["pass"]:
            return "could not test"
        return "partial" if counts["expected"] else "conformant"

    def _specimen(self, profile: str, index: int) -> Exchange:
        asker = Api(self, profile)
        asker.begin(self.config.check_seconds)
        if profile == "health":
            return _kept(asker, asker.get)
        options = [PLAIN[profile], *ODD[profile]][index]
        return _kept(asker, lambda: asker.ask(**options))

    def _gateway(self, profile: str) -> bool:
        return self.backend is not None and self.config.claims.get(profile) == 2

    def _came_of(
        self, requirement: Requirement, check: Callable[[], object]
    ) -> tuple[Outcome, Evidence, str]:
        try:
            check()
        except AssertionError as ex:
            found = evidence(ex, partial(redact, token=self.config.token))
            return "fail" if requirement.force == "MUST" else "warn", found, ""
        except NotRecorded as ex:
            return "untestable", NO_EVIDENCE, str(ex)
        except Exception:  # noqa: BLE001 - a verdict, too
            with PARSING:
                return "error", NO_EVIDENCE, traceback.format_exc()
        return "pass", NO_EVIDENCE, ""

    def _unable(self, requirement: Requirement) -> str:
        if time.monotonic() > self.started + self.config.run_seconds:
            return f"the {self.config.run_seconds:g} s of the whole run were over"
        missing = {"ollama", "openai"} - self.wired
        if requirement.id in NEEDS_BOTH and missing:
            return f"the {' and the '.join(sorted(missing))} backend was never called, not even when it was the only one left: is it configured?"
        return ""

    def _as_expected(self, verdict: Verdict) -> Verdict:
        if verdict.outcome not in ("fail", "warn"):
            return verdict
        for expectation in self.config.expected:
            if expectation.covers(verdict.requirement.id, verdict.profile):
                words = " ".join(filter(None, [expectation.reason, expectation.link]))
                return Verdict(
                    **{**vars(verdict), "outcome": "expected", "reason": words}
                )
        return verdict


NEEDS_BOTH = frozenset(
    [*(f"FALLBACK-{number:02}" for number in range(1, 10)), "HEALTH-21", "STREAM-34"]
)
"""Requirements that mean nothing unless the server knows both dialects."""


def _kept(asker: Api, ask: Callable[[], Exchange]) -> Exchange:
    """The exchange also when it went wrong: the check that looks at it will say so."""
    try:
        return ask()
    except AssertionError:
        return asker.seen[-1]
