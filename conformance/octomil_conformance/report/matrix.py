"""Several JSON reports side by side, requirement by requirement, as Markdown or as a page."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octomil_conformance import spec
from octomil_conformance.config import BASE_PATH, UsageError, claims_in_words
from octomil_conformance.report.html import page
from octomil_conformance.report.machine import FORMAT
from octomil_conformance.report.markdown import ours, plain, table
from octomil_conformance.report.words import LABELS, NAMES, SENTENCES, severity
from octomil_conformance.run import Conclusion, Outcome

NOT_DECLARED = "not declared"
NOT_IN_SPEC = "not in its version of the spec"
HIGHER_LEVEL = "level not claimed"


@dataclass(frozen=True)
class Implementation:
    """One report about one server."""

    name: str
    suite: str
    spec_version: str
    conclusion: Conclusion
    claims: Mapping[str, int]
    outcomes: Mapping[tuple[str, str], Outcome]
    """The worst outcome of each requirement and profile."""
    counts: Counter[Outcome]
    """The number of verdicts by outcome."""

    def claimed(self) -> str:
        return claims_in_words(self.claims)

    def of(self, requirement: spec.Requirement) -> dict[Outcome, str]:
        """The outcomes, the worst first, with the profiles of each if there are several. Empty if the requirement was not judged."""
        found: dict[Outcome, list[str]] = {}
        for (name, profile), outcome in self.outcomes.items():
            if name == requirement.id:
                found.setdefault(outcome, []).append(profile)
        return {
            outcome: f" {', '.join(found[outcome])}" if len(found) > 1 else ""
            for outcome in sorted(found, key=severity)
        }

    def why_not(self, requirement: spec.Requirement) -> str:
        """Why the requirement was not judged."""
        if requirement.id not in spec.ids_in(self.spec_version):
            return NOT_IN_SPEC
        claimed = any(profile in self.claims for profile in requirement.profiles)
        return HIGHER_LEVEL if claimed else NOT_DECLARED


def in_order(
    columns: Sequence[Implementation], only_differences: bool = False
) -> list[spec.Requirement]:
    """The requirements with a verdict in the order of the spec, but those with different verdicts first."""
    ids = {name for column in columns for name, _ in column.outcomes}
    judged = [each for each in spec.requirements().values() if each.id in ids]
    different = [each for each in judged if differ(columns, each)]
    alike = [each for each in judged if each not in different]
    return different if only_differences else [*different, *alike]


def differ(columns: Iterable[Implementation], requirement: spec.Requirement) -> bool:
    """True if the reports that have a verdict on the requirement do not agree."""
    verdicts = {tuple(column.of(requirement)) for column in columns} - {()}
    return len(verdicts) > 1


def summary(columns: Sequence[Implementation]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table with the conclusion of each report."""
    outcomes = [name for name in NAMES if any(each.counts[name] for each in columns)]
    head = ["server", "verdict", "claimed", *map(NAMES.__getitem__, outcomes), "suite"]
    rows = []
    for each in columns:
        about = [each.name, SENTENCES[each.conclusion], each.claimed()]
        rows.append(
            [*about, *(str(each.counts[name]) for name in outcomes), each.suite]
        )
    return head, rows


def read_all(arguments: Iterable[str]) -> list[Implementation]:
    """Each argument is FILE or NAME=FILE. Raises UsageError."""
    columns: dict[str, Implementation] = {}
    for argument in arguments:
        column = _read(argument)
        if column.name in columns:
            raise UsageError(
                f"{argument}: there is already a {column.name}; name each: NAME=FILE"
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
    """The object in a file that claims to be such a report."""
    try:
        report = json.loads(path.read_bytes())
    except OSError as ex:
        raise UsageError(f"{path}: {ex.strerror}") from ex
    except (ValueError, RecursionError) as ex:
        raise UsageError(f"{path}: not JSON: {ex}") from ex
    needed = {"format", "spec", "verdicts"}
    if not isinstance(report, dict) or not needed <= report.keys():
        raise UsageError(
            f"{path}: not a report that octomil-conformance wrote with --json"
        )
    for key, known in (("format", [FORMAT]), ("spec", [*spec.additions()])):
        if report[key] not in known:
            words = " or ".join(map(str, known))
            raise UsageError(
                f"{path}: {key}: expected {words}, not {report[key]!r}: write it again with this suite"
            )
    return report


def _implementation(report: dict[str, Any], name: str) -> Implementation:
    """Raises various exceptions for a report that is not complete."""
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
        str(report["spec"]),
        report["conclusion"],
        {str(profile): int(level) for profile, level in report["claims"].items()},
        worst,
        Counter(verdict["outcome"] for verdict in report["verdicts"]),
    )


def _title(columns: Sequence[Implementation]) -> str:
    versions = sorted({column.spec_version for column in columns})
    return f"Side by side, by spec {' and '.join(versions)}"


def _left_out(columns: Sequence[Implementation], shown: int) -> str:
    """How many requirements are not shown, and why."""
    every, judged = len(spec.requirements()), len(in_order(columns))
    note = f"Left out, as no report has a verdict on them: {every - judged} of {every} requirements."
    if shown < judged:
        note += f" Left out, as their verdicts are alike: {judged - shown}."
    return note


def matrix_markdown(
    columns: Sequence[Implementation], rows: Sequence[spec.Requirement]
) -> str:
    names = [f"{plain(each.name)}<br>{each.claimed()}" for each in columns]
    cells = []
    for row in rows:
        title = f"**{row.id}** {row.force} {ours(row.text)}"
        cells.append([title, *(_markdown_cell(column, row) for column in columns)])
    head, servers = summary(columns)
    blocks = [
        f"## {_title(columns)}",
        table(head, [map(plain, server) for server in servers]),
        table(["requirement", *names], cells),
        _left_out(columns, len(rows)),
    ]
    return "\n\n".join(blocks) + "\n"


def _markdown_cell(column: Implementation, requirement: spec.Requirement) -> str:
    found = column.of(requirement)
    words = [LABELS[outcome] + plain(profiles) for outcome, profiles in found.items()]
    return "<br>".join(words) or column.why_not(requirement)


def matrix_page(
    columns: Sequence[Implementation], rows: Sequence[spec.Requirement]
) -> str:
    return page(
        "matrix.html",
        token=None,  # the reports no longer contain the token
        title=_title(columns),
        summary=summary(columns),
        columns=columns,
        rows=rows,
        differ=differ,
        left_out=_left_out(columns, len(rows)),
    )
