"""HTML that what stands in it cannot change: every text is masked and escaped here, and nowhere else."""

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from octomil_conformance.report.redact import redact
from octomil_conformance.report.unseen import UNSEEN, number

SPARED = 40
"""Characters too few to leave out: the word on them would be as long."""
EMPTY_ELEMENTS = ("br", "input")


class Markup(str):
    """What is HTML already."""


@dataclass(frozen=True)
class Writer:
    token: str | None
    """Masked in every text."""

    def text(self, text: str) -> Markup:
        """A character that cannot be seen is written as its number, in a box."""
        if isinstance(text, Markup):
            return text
        escaped = html.escape(redact(text, self.token))
        return Markup(UNSEEN.sub(lambda each: f"<b>{number(each[0])}</b>", escaped))

    def tag(self, name: str, *content: str, **attributes: str | bool) -> Markup:
        """`class_` is the attribute class, `data_profile` data-profile. What a server said belongs in no attribute."""
        opening = f"<{name}{''.join(_attributes(attributes))}>"
        if name in EMPTY_ELEMENTS:
            return Markup(opening)
        return Markup(f"{opening}{''.join(map(self.text, content))}</{name}>")

    def prose(self, text: str) -> Markup:
        """A sentence of the spec: what stands between backticks is code."""
        parts = enumerate(text.split("`"))
        return join(
            self.tag("code", each) if odd % 2 else self.text(each)
            for odd, each in parts
        )

    def cut(self, text: str, most: int) -> Markup:
        """Not more than so many characters, with a word on how many are left out. Masked first: half a token is a secret, too."""
        masked = redact(text, self.token)
        left = len(masked) - most
        if left <= SPARED:
            return self.text(masked)
        note = self.tag("i", f"… {left} more characters")
        return join([self.text(masked[:most]), note])


def join(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


def _attributes(attributes: dict[str, str | bool]) -> Iterator[str]:
    """True stands alone, False not at all."""
    for name, value in attributes.items():
        name = name.rstrip("_").replace("_", "-")
        if isinstance(value, str):
            yield f' {name}="{html.escape(value)}"'
        elif value:
            yield f" {name}"
