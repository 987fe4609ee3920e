"""Parts that more than one page has: a table, and the form that chooses what is shown."""

from collections.abc import Iterable, Sequence

from octomil_conformance.report.markup import Markup, Writer
from octomil_conformance.report.words import LABELS
from octomil_conformance.run import Outcome

NOTHING = Markup()


def label(write: Writer, outcome: Outcome) -> Markup:
    return write.tag("span", LABELS[outcome], class_=f"label {outcome}")


def table(
    write: Writer, caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> Markup:
    lines = [write.tag("tr", *cells(write, row)) for row in rows]
    return framed(write, caption, head, lines)


def cells(write: Writer, row: Sequence[str]) -> list[Markup]:
    """Of one line; the first is its heading."""
    first, *others = row
    heading = write.tag("th", first, scope="row")
    return [heading, *(write.tag("td", each) for each in others)]


def framed(
    write: Writer, caption: str, head: Sequence[str], lines: Iterable[Markup]
) -> Markup:
    """A table of such lines. Where a screen is too narrow it moves in its frame, by keys too."""
    columns = [write.tag("th", each, scope="col") for each in head]
    whole = write.tag(
        "table",
        write.tag("caption", caption),
        write.tag("thead", write.tag("tr", *columns)),
        write.tag("tbody", *lines),
    )
    return write.tag(
        "div", whole, class_="wide", role="region", aria_label=caption, tabindex="0"
    )


def choices(write: Writer, *fields: Markup, buttons: Markup = NOTHING) -> Markup:
    """A form that the page's script shows, as it does nothing without. Into the output comes how much is shown."""
    search = write.tag("input", type="search", id="words", autocomplete="off")
    return write.tag(
        "form",
        *fields,
        field(write, "words", "Text", search),
        buttons,
        write.tag("output", aria_live="polite"),
        role="search",
        aria_label="What to show",
        hidden=True,
    )


def choice(
    write: Writer, name: str, heading: str, options: Iterable[tuple[str, str]]
) -> Markup:
    """One of several (value, words)."""
    written = [write.tag("option", words, value=value) for value, words in options]
    return field(write, name, heading, write.tag("select", *written, id=name))


def field(write: Writer, name: str, heading: str, control: Markup) -> Markup:
    return write.tag("p", write.tag("label", heading, for_=name), control)
