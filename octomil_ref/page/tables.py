"""Lists from the spec: the fields of a schema, and the numbered requirements of a chapter. Pure."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.fields import Field, Fields
from octomil_ref.page.markup import Node, filled, prose, requirement_links, tag


def table(title: str, component: str, fields: Fields, always: str) -> Element:
    """`always` marks a field that is never missing. If the fields were listed before, this is only a link to them."""
    found = fields.of(component)
    if not found:
        there = tag("a", tag("code", component), href=f"#{component}")
        return tag("h3", f"{title} ", there)
    rows = [part for field in found for part in (_term(field, always), _meaning(field))]
    heading = tag("h3", f"{title} ", tag("code", component), id=component)
    return tag("div", heading, tag("dl", *rows))


def _term(field: Field, always: str) -> Element:
    term = tag("dt", tag("code", field.path))
    if field.listed_here:
        term.set("id", field.listed_here)
    if field.type:
        filled(term, [" ", filled(tag("span", class_="type"), prose(field.type))])
    if field.required:
        filled(term, [" ", tag("b", always)])
    return term


def _meaning(field: Field) -> Element:
    about: list[Node] = [*prose(field.description)]
    if field.refused_names and not field.listed_before:
        names = ", ".join(f"`{name}`" for name in field.refused_names)
        about += prose(f" Rejected: {names}.")
    if field.limit:
        about += [f" {field.limit}"]
    if field.listed_before:
        there = tag("a", field.listed_before, href=f"#{field.listed_before}")
        about += [" More at ", there, "."]
    return tag("dd", *about, *requirement_links(field.requirements))


def sentences(requirements: Sequence[Requirement]) -> Element:
    """The requirements of one chapter, folded."""
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
