"""The HTML for each placeholder in the page's template. Pure."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page import chapters
from octomil_ref.page.endpoint import BASE, ORIGIN, Endpoint, endpoints, section
from octomil_ref.page.fields import Fields
from octomil_ref.page.markup import html, tag

Spec = Mapping[str, Requirement]


def contents(
    document: Mapping[str, Any], spec: Spec, limits: Mapping[str, str]
) -> dict[str, str]:
    """`limits` are sentences by field: `BatchRequest.inputs`."""
    found, fields = endpoints(document), Fields(document, limits)
    chosen = _chosen(found)
    models = {place: model for model, place in chosen.items()}
    remaining = _by_chapter(spec)
    # Before the endpoints, which refer to it.
    failures = chapters.failures(document, fields)
    sections = [
        section(each, fields, chosen, remaining.pop(each.title, [])) for each in found
    ]
    return {
        "links": html(*map(_link, found)),
        "tokens": html(chapters.tokens(document)),
        "model": html(_choice("model", models)),
        "embed_model": html(_choice("embed-model", models)),
        "endpoints": html(*sections),
        "failures": html(failures),
        "sdks": html(chapters.sdk_lines(models["model"], chosen)),
        "spec": html(chapters.rest_of_the_spec(remaining.values())),
    }


def _chosen(found: list[Endpoint]) -> dict[str, str]:
    """The texts that the reader can replace in all examples, with the name of each choice."""
    chosen = {ORIGIN: "origin"}
    for endpoint in found:
        if example := endpoint.request.get("example"):
            place = "embed-model" if endpoint.name == "embed" else "model"
            chosen[example["model_id"]] = place
    return chosen


def _choice(place: str, models: Mapping[str, str]) -> Element:
    off = {"autocomplete": "off", "spellcheck": "false"}
    return tag("input", id=place, placeholder=models[place], **off)


def _by_chapter(spec: Spec) -> dict[str, list[Requirement]]:
    """Requirements by the title of their chapter, without its number."""
    grouped = groupby(spec.values(), lambda each: each.section.partition(". ")[2])
    return {title: list(members) for title, members in grouped}


def _link(endpoint: Endpoint) -> Element:
    method, path = tag("b", endpoint.method), endpoint.path.removeprefix(BASE)
    return tag("li", tag("a", method, f" {path}", href=f"#{endpoint.name}"))
