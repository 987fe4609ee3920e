"""The HTML builder: every text is redacted and escaped here, and nowhere else. And the parts that more than one page has."""

import base64
import hashlib
import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from octomil_conformance.report.redact import redact
from octomil_conformance.report.words import LABELS, UNSEEN, number
from octomil_conformance.run import Outcome

FOLDER = Path(__file__).parent
SPARED = 40
"""Characters too few to leave out: the note about them would be as long."""
EMPTY_ELEMENTS = ("br", "input")


class Markup(str):
    """Text that is HTML already."""


NOTHING = Markup()


@dataclass(frozen=True)
class Writer:
    token: str | None
    """Redacted from every text."""

    def text(self, text: str) -> Markup:
        """An unseen character is written as its number, in a box."""
        if isinstance(text, Markup):
            return text
        escaped = html.escape(redact(text, self.token))
        return Markup(UNSEEN.sub(lambda each: f"<b>{number(each[0])}</b>", escaped))

    def tag(self, name: str, *content: str, **attributes: str | bool) -> Markup:
        """`class_` is the attribute class, `data_profile` data-profile. Nothing that a server said belongs in an attribute."""
        opening = f"<{name}{''.join(_attributes(attributes))}>"
        if name in EMPTY_ELEMENTS:
            return Markup(opening)
        return Markup(f"{opening}{''.join(map(self.text, content))}</{name}>")

    def prose(self, text: str) -> Markup:
        """A sentence of the spec: text between backticks is code."""
        return join(
            self.tag("code", each) if odd % 2 else self.text(each)
            for odd, each in enumerate(text.split("`"))
        )

    def cut(self, text: str, most: int) -> Markup:
        """At most so many characters, and a note on how many are left out. Redacted first: half a token is a secret too."""
        masked = redact(text, self.token)
        left = len(masked) - most
        if left <= SPARED:
            return self.text(masked)
        note = self.tag("i", f"… {left} more characters")
        return join([self.text(masked[:most]), note])

    def label(self, outcome: Outcome) -> Markup:
        return self.tag("span", LABELS[outcome], class_=f"label {outcome}")

    def table(
        self, caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> Markup:
        lines = [self.tag("tr", *self.cells(row)) for row in rows]
        return self.framed(caption, head, lines)

    def cells(self, row: Sequence[str]) -> list[Markup]:
        """The cells of one line; the first is its heading."""
        first, *others = row
        heading = self.tag("th", first, scope="row")
        return [heading, *(self.tag("td", each) for each in others)]

    def framed(
        self, caption: str, head: Sequence[str], lines: Iterable[Markup]
    ) -> Markup:
        """A table of such lines. On a narrow screen it scrolls in its frame, by keys too."""
        columns = [self.tag("th", each, scope="col") for each in head]
        whole = self.tag(
            "table",
            self.tag("caption", caption),
            self.tag("thead", self.tag("tr", *columns)),
            self.tag("tbody", *lines),
        )
        return self.tag("div", whole, class_="wide", role="region", aria_label=caption, tabindex="0")  # fmt: skip

    def choices(self, *fields: Markup, buttons: Markup = NOTHING) -> Markup:
        """A form that the script of the page shows, as it does nothing without. The script writes into `output` how much is shown."""
        search = self.tag("input", type="search", id="words", autocomplete="off")
        return self.tag(
            "form",
            *fields,
            self.field("words", "Text", search),
            buttons,
            self.tag("output", aria_live="polite"),
            role="search",
            aria_label="What to show",
            hidden=True,
        )

    def choice(
        self, name: str, heading: str, options: Iterable[tuple[str, str]]
    ) -> Markup:
        """One of several (value, words)."""
        written = [self.tag("option", words, value=value) for value, words in options]
        return self.field(name, heading, self.tag("select", *written, id=name))

    def field(self, name: str, heading: str, control: Markup) -> Markup:
        return self.tag("p", self.tag("label", heading, for_=name), control)


def join(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


def document(title: Markup, body: Markup) -> str:
    """A page that loads nothing, and runs no script but its own."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("page.html")).substitute(
        title=title, policy=policy, style=style, script=script, body=body
    )


def _attributes(attributes: dict[str, str | bool]) -> Iterator[str]:
    """True is written without a value, False not at all."""
    for name, value in attributes.items():
        name = name.rstrip("_").replace("_", "-")
        if isinstance(value, str):
            yield f' {name}="{html.escape(value)}"'
        elif value:
            yield f" {name}"


def _asset(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
