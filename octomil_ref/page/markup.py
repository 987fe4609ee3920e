"""Elements of the page. ElementTree escapes their text when it serializes them. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from xml.etree.ElementTree import Element, tostring

Node = Element | str


def tag(name: str, *content: Node, **attributes: str) -> Element:
    """`tag("a", "here", href="#x", data_path="/")`; `class_` is `class`."""
    named = {
        key.rstrip("_").replace("_", "-"): text for key, text in attributes.items()
    }
    element = Element(name, named)
    for node in content:
        if not isinstance(node, str):
            element.append(node)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + node
        else:
            element.text = (element.text or "") + node
    return element


def html(*elements: Element) -> str:
    return "\n".join(tostring(each, "unicode", method="html") for each in elements)


def prose(text: str) -> Iterator[Node]:
    """A sentence of the spec, in which backticks mark code."""
    for number, piece in enumerate(text.split("`")):
        yield tag("code", piece) if number % 2 else piece


def requirement_links(names: Iterable[str]) -> Iterator[Node]:
    for name in names:
        yield " "
        yield tag("a", name, href=f"#{name}", class_="id")


def fillable(text: str, kinds: Mapping[str, str]) -> Iterator[Node]:
    """Text with parts that the reader can replace: `kinds` maps each such part to its class."""
    places = "|".join(map(re.escape, kinds))
    for piece in re.split(f"({places})", text):
        yield tag("span", piece, class_=kinds[piece]) if piece in kinds else piece


def copied(title: str, text: str, kinds: Mapping[str, str], *about: Node) -> Element:
    """Commands to copy, under a heading and the text `about` them. The page's script shows the button and makes it work."""
    button = tag(
        "button",
        "Copy",
        type="button",
        class_="copy",
        hidden="hidden",
        aria_label=f"Copy: {title}",
    )
    lines = tag("pre", tag("code", *fillable(text, kinds)), tabindex="0")
    heading = [tag("h3", *fillable(title, kinds))]
    if about:
        heading.append(tag("p", *about))
    return tag("div", *heading, button, lines, class_="copied")
