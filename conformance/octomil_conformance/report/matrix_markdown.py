"""Reports side by side, as Markdown."""

from collections.abc import Sequence

from octomil_conformance import spec
from octomil_conformance.report.markdown_parts import ours, plain, table
from octomil_conformance.report.matrix import Implementation, judged, summary
from octomil_conformance.report.words import LABELS


def matrix_markdown(columns: Sequence[Implementation]) -> str:
    rows = [_row(columns, each) for each in judged(columns)]
    head = [
        "requirement",
        *(f"{plain(each.name)}<br>{each.claimed()}" for each in columns),
    ]
    blocks = [
        f"## Side by side, by spec {spec.VERSION}",
        _summary(columns),
        table(head, rows),
        f"Left out, as none of them was judged by it: {len(spec.requirements()) - len(rows)} of {len(spec.requirements())}.",
    ]
    return "\n\n".join(blocks) + "\n"


def _row(columns: Sequence[Implementation], requirement: spec.Requirement) -> list[str]:
    sentence = f"**{requirement.id}** {requirement.force} {ours(requirement.text)}"
    return [sentence, *(_cell(column, requirement) for column in columns)]


def _summary(columns: Sequence[Implementation]) -> str:
    head, rows = summary(columns)
    return table(head, [[plain(cell) for cell in row] for row in rows])


def _cell(column: Implementation, requirement: spec.Requirement) -> str:
    found = column.of(requirement)
    if not found:
        return column.why_not(requirement)
    alone = len(found) == 1
    return "<br>".join(
        LABELS[outcome] + ("" if alone else plain(f" {', '.join(profiles)}"))
        for outcome, profiles in found.items()
    )
