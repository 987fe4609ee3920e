"""The chapters for all endpoints together: tokens, failures, SDKs, the rest of the spec. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.endpoint import ORIGIN
from octomil_ref.page.fields import Fields
from octomil_ref.page.markup import copied, filled, prose, requirement_links, tag
from octomil_ref.page.snippets import sdks
from octomil_ref.page.tables import sentences, table

OpenAPI = Mapping[str, Any]


def chapter(name: str, title: str, *content: Element) -> Element:
    heading = f"{name}-title"
    return tag(
        "section",
        tag("h2", title, id=heading),
        *content,
        id=name,
        aria_labelledby=heading,
    )


def tokens(document: OpenAPI) -> Element:
    schemes = document["components"]["securitySchemes"].values()
    return tag("ul", *[filled(tag("li"), _described(each)) for each in schemes])


def failures(document: OpenAPI, fields: Fields) -> Element:
    failure = document["components"]["responses"]["Failure"]
    headers = [
        part
        for name, header in failure["headers"].items()
        for part in (
            tag("dt", tag("code", name)),
            filled(tag("dd"), _described(header)),
        )
    ]
    kinds = [part for kind in failure["x-failures"] for part in _failure(kind)]
    shape = [
        filled(tag("p"), prose(failure["description"])),
        table("Envelope", "Error", fields, "always there"),
        tag("h3", "Headers"),
        tag("dl", *headers),
    ]
    columns = tag(
        "div",
        tag("div", *shape),
        tag("div", tag("h3", "Classes and codes"), tag("dl", *kinds)),
        class_="columns",
    )
    return chapter("failures", "Failures", columns)


def _failure(kind: Mapping[str, Any]) -> list[Element]:
    term = tag("dt", tag("b", str(kind["status"])), " ")
    filled(term, [tag("code", kind["error"]), " ", tag("code", kind["code"])])
    if kind["retryable"]:
        filled(term, [" ", tag("i", "retryable")])
    return [term, filled(tag("dd"), _described(kind))]


def sdk_lines(model: str, chosen: Mapping[str, str]) -> Element:
    blocks = [
        copied(f"{name}, base URL {url}", lines, chosen)
        for name, url, lines in sdks(ORIGIN, model)
    ]
    return chapter("sdks", "SDKs", *blocks)


def rest_of_the_spec(chapters: Iterable[Sequence[Requirement]]) -> Element:
    """The requirements that belong to no single endpoint."""
    return chapter(
        "spec",
        "The rest of the specification",
        *map(sentences, chapters),
    )


def _described(thing: Mapping[str, Any]) -> list[Element | str]:
    ids = requirement_links(thing.get("x-requirements", ()))
    return [*prose(thing["description"]), *ids]
