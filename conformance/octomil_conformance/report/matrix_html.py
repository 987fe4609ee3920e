"""Reports side by side, as a page to look at."""

from collections.abc import Sequence

from octomil_conformance import spec
from octomil_conformance.report.document import document
from octomil_conformance.report.html_parts import (
    cells,
    choice,
    choices,
    framed,
    label,
    table,
)
from octomil_conformance.report.markup import Markup, Writer, join
from octomil_conformance.report.matrix import (
    Implementation,
    differ,
    judged,
    summary,
)

NOTHING_SECRET = Writer(token=None)
"""The reports that are read here have their tokens masked."""


def matrix_page(columns: Sequence[Implementation]) -> str:
    write = NOTHING_SECRET
    rows = judged(columns)
    left_out = len(spec.requirements()) - len(rows)
    title = write.text(f"Side by side, by spec {spec.VERSION}")
    header = write.tag(
        "header", write.tag("h1", title), table(write, "As a whole", *summary(columns))
    )
    main = write.tag(
        "main",
        _filter(write),
        _table(write, columns, rows),
        write.tag(
            "p",
            f"Left out, as none of them was judged by it: {left_out} of {len(spec.requirements())}.",
        ),
    )
    return document(title, join([header, main]))


def _filter(write: Writer) -> Markup:
    rows = [("", "all"), ("differ", "verdicts differ"), ("alike", "verdicts are alike")]
    return choices(write, choice(write, "rows", "Requirements", rows))


def _table(
    write: Writer, columns: Sequence[Implementation], rows: Sequence[spec.Requirement]
) -> Markup:
    names = [
        write.tag("span", each.name) + write.tag("small", f" {each.claimed()}")
        for each in columns
    ]
    lines = [_line(write, columns, each) for each in rows]
    head = ["requirement", *map(Markup, names)]
    return framed(write, "Requirement by requirement", head, lines)


def _line(
    write: Writer, columns: Sequence[Implementation], requirement: spec.Requirement
) -> Markup:
    sentence = [
        write.tag("span", f"{requirement.id} ", class_="id"),
        write.tag("span", f"{requirement.force} ", class_="force"),
        write.prose(requirement.text),
    ]
    told = [_cell(write, each, requirement) for each in columns]
    return write.tag(
        "tr",
        *cells(write, [join(sentence), *told]),
        class_="requirement verdict",
        id=requirement.id,
        data_rows="differ" if differ(columns, requirement) else "alike",
    )


def _cell(
    write: Writer, column: Implementation, requirement: spec.Requirement
) -> Markup:
    found = column.of(requirement)
    if not found:
        return write.tag("small", column.why_not(requirement))
    alone = len(found) == 1
    return join(
        write.tag(
            "p", label(write, outcome), "" if alone else f" {', '.join(profiles)}"
        )
        for outcome, profiles in found.items()
    )
