"""The words, counts and lists that all reports share."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from octomil_conformance import spec
from octomil_conformance.config import Config
from octomil_conformance.run import Conclusion, Outcome, Run, Verdict

LABELS: dict[Outcome, str] = {
    "fail": "FAIL",
    "error": "ERROR",
    "warn": "WARN",
    "expected": "EXPECTED",
    "untestable": "UNTESTED",
    "pass": "PASS",
}
"""Worst first."""
NAMES: dict[Outcome, str] = {
    "pass": "passed",
    "fail": "failed",
    "warn": "warned",
    "expected": "failed as expected",
    "untestable": "not tested",
    "error": "in error",
}
SENTENCES: dict[Conclusion, str] = {
    "conformant": "Conformant",
    "partial": "Partial: conformant except for the expected failures",
    "not conformant": "Not conformant",
    "could not test": "Could not test everything that was asked",
    "suite at fault": "The suite is at fault: please report this",
}

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Characters that a reader cannot see, or that would change a terminal or a page: controls, spaces without width, changes of
direction, halves of a surrogate pair. Tab and newline are not among them."""


def named(text: str) -> str:
    """The text with unseen characters as their numbers."""
    return UNSEEN.sub(lambda each: number(each[0]), text)


def number(character: str) -> str:
    return f"U+{ord(character):04X}"


def counted(counts: Counter[Outcome]) -> str:
    parts = [f"{counts[each]} {NAMES[each]}" for each in NAMES if counts[each]]
    return ", ".join(parts) or "nothing ran"


def totals(run: Run) -> str:
    stale = len(run.stale())
    return counted(run.counts()) + (f", {stale} stale" if stale else "")


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def in_a_row(names: Iterable[str]) -> str:
    """The names in order: `ollama, 3 times openai`."""
    counts = [(name, len([*same])) for name, same in groupby(names)]
    return ", ".join(f"{n} times {name}" if n > 1 else name for name, n in counts)


def places(verdicts: Iterable[Verdict]) -> list[str]:
    """The checks of the verdicts, each with all its cases: `infer: a check (one, two)`."""
    found: dict[str, list[str]] = {}
    for each in verdicts:
        check, has_case, case = each.check.partition(" (")
        cases = found.setdefault(f"{each.profile}: {check}", [])
        cases += [case.removesuffix(")")] if has_case else []
    return [
        f"{name} ({', '.join(cases)})" if cases else name
        for name, cases in found.items()
    ]


def by_profile(run: Run) -> dict[str, Counter[Outcome]]:
    """The number of each outcome for each claimed profile. A check of auth counts for auth and for its endpoint."""
    return {
        profile: Counter(
            verdict.outcome
            for verdict in run.verdicts
            if profile in (verdict.profile, *_auth(verdict))
        )
        for profile in run.config.claims
    }


def by_requirement(run: Run) -> dict[spec.Requirement, list[Verdict]]:
    """The verdicts on each requirement, the worst first. Requirements are in the order of the spec."""
    found: dict[spec.Requirement, list[Verdict]] = {}
    for requirement in spec.requirements().values():
        mine = [each for each in run.verdicts if each.requirement.id == requirement.id]
        if mine:
            found[requirement] = sorted(mine, key=lambda each: severity(each.outcome))
    return found


def severity(outcome: Outcome) -> int:
    """The rank of an outcome; 0 is the worst."""
    return list(LABELS).index(outcome)


def without_check(config: Config) -> list[spec.Requirement]:
    """Requirements of the claimed profiles that no check can judge."""
    return [
        requirement
        for requirement in spec.requirements().values()
        if requirement.untestable and config.profiles_for(requirement)
    ]


def is_lacking(run: Run, verdict: Verdict) -> bool:
    """True if a recording does not have the data for the verdict. That is reported, but does not change the conclusion."""
    return run.recorded and verdict.outcome == "untestable"


def lacking(run: Run) -> Iterator[str]:
    """A line for each thing that recordings do not have."""
    found: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if is_lacking(run, verdict):
            found.setdefault(verdict.reason, []).append(verdict)
    for reason, verdicts in found.items():
        names = dict.fromkeys(verdict.requirement.id for verdict in verdicts)
        count = len({id(verdict.exchanges[0]) for verdict in verdicts})
        answers = plural(count, "answer")
        yield f"not judged: {', '.join(names)} of {answers}: {reason}"


def _auth(verdict: Verdict) -> tuple[str, ...]:
    return ("auth",) if verdict.requirement.profiles == ("auth",) else ()
