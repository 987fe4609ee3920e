"""The words that all reports share, and the counts they all give."""

from collections import Counter

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
    "partial": "Partial: conformant but for the expected failures",
    "not conformant": "Not conformant",
    "could not test": "Could not test all that was asked",
    "suite at fault": "The suite is at fault: please report this",
}


def counted(counts: Counter[Outcome]) -> str:
    parts = [f"{counts[outcome]} {name}" for outcome, name in NAMES.items()]
    return (
        ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing ran"
    )


def by_profile(run: Run) -> dict[str, Counter[Outcome]]:
    """Of each claimed profile. A token's check counts for auth and for the endpoint that it was tried at."""
    return {
        profile: Counter(
            verdict.outcome
            for verdict in run.verdicts
            if profile in (verdict.profile, *_auth(verdict))
        )
        for profile in run.config.claims
    }


def by_requirement(run: Run) -> dict[spec.Requirement, list[Verdict]]:
    """In the order of the spec; of each the worst first."""
    found: dict[spec.Requirement, list[Verdict]] = {}
    for requirement in spec.requirements().values():
        mine = [each for each in run.verdicts if each.requirement.id == requirement.id]
        if mine:
            found[requirement] = sorted(mine, key=lambda each: severity(each.outcome))
    return found


def severity(outcome: Outcome) -> int:
    """0 for the worst."""
    return list(LABELS).index(outcome)


def without_check(config: Config) -> list[spec.Requirement]:
    """Sentences of the claimed profiles that no check can judge."""
    return [
        requirement
        for requirement in spec.requirements().values()
        if requirement.untestable and config.profiles_for(requirement)
    ]


def _auth(verdict: Verdict) -> tuple[str, ...]:
    return ("auth",) if verdict.requirement.profiles == ("auth",) else ()
