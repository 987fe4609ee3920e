"""The numbered sentences of the spec, each at the place that links lead to. Pure."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.markup import filled, prose, tag


def sentences(requirements: Sequence[Requirement]) -> Element:
    """Those of one chapter, to be opened."""
    title = f"{requirements[0].section}: {len(requirements)} requirements"
    items = map(_sentence, requirements)
    return tag("details", tag("summary", title), tag("ul", *items), class_="spec")


def _sentence(requirement: Requirement) -> Element:
    item = tag(
        "li", tag("b", requirement.id), f" {requirement.force} ", id=requirement.id
    )
    filled(item, prose(requirement.text))
    if requirement.breaks:
        filled(item, [" ", tag("i", *prose(f"Breaks: {requirement.breaks}"))])
    return item
