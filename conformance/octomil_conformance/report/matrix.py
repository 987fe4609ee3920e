"""Several JSON reports side by side: what each of them says on each requirement."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octomil_conformance import spec
from octomil_conformance.config import BASE_PATH, UsageError
from octomil_conformance.report.machine import FORMAT
from octomil_conformance.report.words import NAMES, SENTENCES, severity
from octomil_conformance.run import Conclusion, Outcome

NOT_DECLARED = "not declared"
HIGHER_LEVEL = "level not claimed"


@dataclass(frozen=True)
class Implementation:
    """What one report says of the server that it is about."""

    name: str
    suite: str
    conclusion: Conclusion
    claims: Mapping[str, int]
    outcomes: Mapping[tuple[str, str], Outcome]
    """The worst of each requirement (its id) and profile."""
    counts: Counter[Outcome]
    """Of all verdicts."""

    def claimed(self) -> str:
        return " ".join(f"{name}@{level}" for name, level in self.claims.items())

    def of(self, requirement: spec.Requirement) -> dict[Outcome, list[str]]:
        """The profiles by what came of them, the worst first. Empty when it was not judged."""
        found: dict[Outcome, list[str]] = {}
        for (name, profile), outcome in self.outcomes.items():
            if name == requirement.id:
                found.setdefault(outcome, []).append(profile)
        return dict(sorted(found.items(), key=lambda each: severity(each[0])))

    def why_not(self, requirement: spec.Requirement) -> str:
        """Why it was not judged."""
        claimed = any(profile in self.claims for profile in requirement.profiles)
        return HIGHER_LEVEL if claimed else NOT_DECLARED


def judged(columns: Sequence[Implementation]) -> list[spec.Requirement]:
    """The requirements that at least one of them was judged by, in the order of the spec."""
    ids = {name for column in columns for name, _ in column.outcomes}
    return [each for each in spec.requirements().values() if each.id in ids]


def differ(columns: Iterable[Implementation], requirement: spec.Requirement) -> bool:
    """Whether those that were judged by it do not all have the same verdict."""
    verdicts = {tuple(column.of(requirement)) for column in columns} - {()}
    return len(verdicts) > 1


def summary(columns: Sequence[Implementation]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table on each as a whole."""
    outcomes = [name for name in NAMES if any(each.counts[name] for each in columns)]
    head = ["server", "verdict", "claimed", *map(NAMES.__getitem__, outcomes), "suite"]
    rows = [
        [
            *(each.name, SENTENCES[each.conclusion], each.claimed()),
            *(str(each.counts[name]) for name in outcomes),
            each.suite,
        ]
        for each in columns
    ]
    return head, rows


def read_all(arguments: Iterable[str]) -> list[Implementation]:
    """Of FILE or NAME=FILE each. Raises UsageError."""
    columns: dict[str, Implementation] = {}
    for argument in arguments:
        column = _read(argument)
        if column.name in columns:
            raise UsageError(
                f"{argument}: {column.name} is there already; name each: NAME=FILE"
            )
        columns[column.name] = column
    return list(columns.values())


def _read(argument: str) -> Implementation:
    name, equals, rest = argument.partition("=")
    named = bool(equals) and not Path(argument).exists()
    path = Path(rest if named else argument)
    report = _checked(path)
    try:
        return _implementation(report, name if named else "")
    except (KeyError, TypeError, ValueError, AttributeError) as ex:
        raise UsageError(
            f"{path}: not a whole report of octomil-conformance ({ex!r})"
        ) from ex


def _checked(path: Path) -> dict[str, Any]:
    """The object in a file that says of itself that it is such a report."""
    try:
        report = json.loads(path.read_bytes())
    except OSError as ex:
        raise UsageError(f"{path}: {ex.strerror}") from ex
    except (ValueError, RecursionError) as ex:
        raise UsageError(f"{path}: not JSON: {ex}") from ex
    if (
        not isinstance(report, dict)
        or not {"format", "spec", "verdicts"} <= report.keys()
    ):
        raise UsageError(
            f"{path}: not a report that octomil-conformance wrote with --json"
        )
    for key, ours in (("format", FORMAT), ("spec", spec.VERSION)):
        if report[key] != ours:
            raise UsageError(
                f"{path}: {key}: want {ours}, not {report[key]!r}: write it again with this suite"
            )
    return report


def _implementation(report: dict[str, Any], name: str) -> Implementation:
    """Raises whatever comes of a report that lacks something."""
    worst: dict[tuple[str, str], Outcome] = {}
    for verdict in report["verdicts"]:
        requirement = spec.requirements()[verdict["requirement"]]
        key = requirement.id, str(verdict["profile"])
        outcomes: list[Outcome] = [verdict["outcome"], worst.get(key, "pass")]
        worst[key] = min(outcomes, key=severity)
    if report["conclusion"] not in SENTENCES:
        raise ValueError(report["conclusion"])
    return Implementation(
        name or str(report["url"]).removesuffix(BASE_PATH),
        str(report["suite"]),
        report["conclusion"],
        {str(profile): int(level) for profile, level in report["claims"].items()},
        worst,
        Counter(verdict["outcome"] for verdict in report["verdicts"]),
    )
