"""The HTML for each placeholder in the page's template: the endpoints, and the chapters for all of them. Pure."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.markup import Node, copied, html, prose, requirement_links, tag
from octomil_ref.page.openapi import (
    BASE,
    ORIGIN,
    Endpoint,
    Field,
    Fields,
    component_of,
    endpoints,
)
from octomil_ref.page.snippets import NEWLINE, quoted, sdks

Document = Mapping[str, Any]


def contents(
    document: Document,
    spec: Mapping[str, Requirement],
    limits: Mapping[str, str],
    other_endpoints: Document | None,
) -> dict[str, str]:
    """`limits` maps fields, such as `BatchRequest.inputs`, to sentences. `other_endpoints` are those that only clients call."""
    found, fields = endpoints(document), Fields(document, limits)
    chosen = _chosen(found)
    models = {place: model for model, place in chosen.items()}
    remaining = _by_chapter(spec)
    # First, because the sections of endpoints link to the fields that are listed here.
    failures = _failures(document, fields)
    sections = [
        _section(each, fields, chosen, remaining.pop(each.title, [])) for each in found
    ]
    blocks = [
        copied(f"{name}, base URL {url}", lines, chosen)
        for name, url, lines in sdks(ORIGIN, models["model"])
    ]
    schemes = document["components"]["securitySchemes"].values()
    tokens = [tag("li", *_described(each)) for each in schemes]
    return {
        "links": html(*map(_link, found)),
        **_for_clients(other_endpoints, chosen),
        "tokens": html(*tokens),
        "model": html(_choice("model", models["model"])),
        "embed_model": html(_choice("embed-model", models["embed-model"])),
        "endpoints": html(*sections),
        **failures,
        "sdks": html(*blocks),
        "spec": html(*map(_sentences, remaining.values())),
    }


def _chosen(found: list[Endpoint]) -> dict[str, str]:
    """The texts in examples that the reader can replace, each with the name of what replaces it."""
    chosen = {ORIGIN: "origin"}
    for endpoint in found:
        if example := endpoint.request.get("example"):
            place = "embed-model" if endpoint.name == "embed" else "model"
            chosen[example["model_id"]] = place
    return chosen


def _choice(place: str, model: str) -> Element:
    off = {"autocomplete": "off", "spellcheck": "false"}
    return tag("input", id=place, placeholder=model, **off)


def _by_chapter(spec: Mapping[str, Requirement]) -> dict[str, list[Requirement]]:
    """Requirements by the title of their chapter, without its number."""
    grouped = groupby(spec.values(), lambda each: each.section.partition(". ")[2])
    return {title: list(members) for title, members in grouped}


def _link(endpoint: Endpoint) -> Element:
    method, path = tag("b", endpoint.method), endpoint.path.removeprefix(BASE)
    return tag("li", tag("a", method, f" {path}", href=f"#{endpoint.name}"))


def _described(thing: Mapping[str, Any]) -> list[Node]:
    ids = requirement_links(thing.get("x-requirements", ()))
    return [*prose(thing["description"]), *ids]


# One endpoint


def _section(
    endpoint: Endpoint,
    fields: Fields,
    chosen: Mapping[str, str],
    requirements: Sequence[Requirement],
) -> Element:
    """The section of one endpoint: its request and response, a form to try it, and a command to copy."""
    operation, heading = endpoint.operation, f"{endpoint.name}-title"
    folded = [requirements] if requirements else []
    flags = "-sN" if endpoint.streamed else NEWLINE
    answer = "Each event" if endpoint.streamed else "Response"
    tables = [_table(answer, endpoint.answer, fields, "always present")]
    if schema := endpoint.request.get("schema"):
        tables.insert(0, _table("Request", component_of(schema), fields, "required"))
    # In the command the whole body is replaced too, by what the reader types into the form.
    example = endpoint.request.get("example")
    replaced = {quoted(example): "body", **chosen} if example else chosen
    return tag(
        "section",
        tag(
            "div",
            tag("h2", tag("b", endpoint.method), f" {endpoint.path}", id=heading),
            tag("p", operation["summary"], class_="summary"),
            tag("p", *_described(operation)),
        ),
        tag(
            "div",
            _form(endpoint, chosen),
            copied("curl", endpoint.curl(flags), replaced),
            class_="tried",
        ),
        tag("div", *tables, *map(_sentences, folded)),
        id=endpoint.name,
        aria_labelledby=heading,
        class_="endpoint columns",
    )


def _form(endpoint: Endpoint, chosen: Mapping[str, str]) -> Element:
    shown = {"tabindex": "0", "hidden": ""}
    data = {"data_method": endpoint.method, "data_path": endpoint.path}
    body: list[Element] = []
    if example := endpoint.request.get("example"):
        data["data_model"] = chosen[example["model_id"]]
        body = _body(endpoint.name, json.dumps(example, indent=2))
    send = tag("button", "Send", type="submit")
    stop = tag("button", "Stop", type="button", class_="stop", disabled="")
    return tag(
        "form",
        tag("h3", "Try it"),
        *body,
        tag("p", send, " ", stop),
        tag("p", class_="state", role="status"),
        tag("p", class_="figures"),
        tag("pre", class_="text", aria_label="Text", **shown),
        tag("pre", class_="json", aria_label="JSON", **shown),
        class_="try",
        **data,
    )


def _body(name: str, text: str) -> list[Element]:
    field, rows = f"{name}-body", str(text.count("\n") + 1)
    off = {"spellcheck": "false", "autocomplete": "off"}
    area = tag("textarea", text, id=field, rows=rows, **off)
    return [tag("label", "Request body", for_=field), area]


# Lists from the spec


def _table(title: str, component: str, fields: Fields, always: str) -> Element:
    """The fields of a schema. `always` marks a field that is never missing. If the schema was listed before, returns only a link to it."""
    found = fields.of(component)
    if not found:
        there = tag("a", tag("code", component), href=f"#{component}")
        return tag("h3", f"{title} ", there)
    rows = [part for field in found for part in (_term(field, always), _meaning(field))]
    heading = tag("h3", f"{title} ", tag("code", component), id=component)
    return tag("div", heading, tag("dl", *rows))


def _term(field: Field, always: str) -> Element:
    term: list[Node] = [tag("code", field.path)]
    if field.type:
        term += [" ", tag("span", *prose(field.type), class_="type")]
    if field.required:
        term += [" ", tag("b", always)]
    return tag("dt", *term, **({"id": field.listed_here} if field.listed_here else {}))


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


def _sentences(requirements: Sequence[Requirement]) -> Element:
    """The requirements of one chapter, folded."""
    title = f"{requirements[0].section}: {len(requirements)} requirements"
    items = map(_sentence, requirements)
    return tag("details", tag("summary", title), tag("ul", *items), class_="spec")


def _sentence(requirement: Requirement) -> Element:
    words: list[Node] = [tag("b", requirement.id), f" {requirement.force} "]
    words += prose(requirement.text)
    if requirement.breaks:
        words += [" ", tag("i", *prose(f"Breaks: {requirement.breaks}"))]
    return tag("li", *words, id=requirement.id)


# What all endpoints have in common


def _failures(document: Document, fields: Fields) -> dict[str, str]:
    failure = document["components"]["responses"]["Failure"]
    envelope = _table("Envelope", "Error", fields, "always present")
    headers = [
        part
        for name, header in failure["headers"].items()
        for part in (tag("dt", tag("code", name)), tag("dd", *_described(header)))
    ]
    kinds = [part for kind in failure["x-failures"] for part in _failure(kind)]
    return {
        "failure": html(tag("p", *prose(failure["description"]))),
        "envelope": html(envelope),
        "headers": html(*headers),
        "kinds": html(*kinds),
    }


def _failure(kind: Mapping[str, Any]) -> list[Element]:
    codes = (tag("code", kind["error"]), " ", tag("code", kind["code"]))
    retryable = (" ", tag("i", "retryable")) if kind["retryable"] else ()
    term = tag("dt", tag("b", str(kind["status"])), " ", *codes, *retryable)
    return [term, tag("dd", *_described(kind))]


def _for_clients(
    document: Document | None, chosen: Mapping[str, str]
) -> dict[str, str]:
    """What SDKs and OpenAI clients call besides the five endpoints."""
    if document is None:
        return {"clients_link": "", "list_models": "", "clients": ""}
    [about] = document["tags"]
    title = tag("h2", about["name"], id="clients-title")
    paragraph = tag("p", *prose(about["description"]))
    blocks = [_for_client(each, chosen) for each in endpoints(document)]
    named = {"id": "clients", "aria_labelledby": "clients-title"}
    link = tag("li", tag("a", "OpenAI clients", href="#clients"))
    # The page's script requests `GET /v1/models`.
    button = tag("button", "List the models", type="button", id="list-models")
    models = tag("p", button, " ", tag("span", id="models", role="status"))
    return {
        "clients_link": html(link),
        "list_models": html(models),
        "clients": html(tag("section", title, paragraph, *blocks, **named)),
    }


def _for_client(endpoint: Endpoint, chosen: Mapping[str, str]) -> Element:
    operation = endpoint.operation
    about = prose(f"{operation['summary']}. {operation['description']}")
    return copied(endpoint.title, endpoint.curl(), chosen, *about)
