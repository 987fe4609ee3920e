"""The HTML for each placeholder in the page's template: the endpoints, and the chapters for all of them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.endpoint import (
    BASE,
    ORIGIN,
    TOKEN,
    Endpoint,
    endpoints,
    section,
)
from octomil_ref.page.fields import Fields
from octomil_ref.page.markup import (
    copied,
    filled,
    html,
    prose,
    requirement_links,
    tag,
)
from octomil_ref.page.snippets import curl, sdks
from octomil_ref.page.tables import sentences, table

Spec = Mapping[str, Requirement]


def contents(
    document: Mapping[str, Any],
    spec: Spec,
    limits: Mapping[str, str],
    other_endpoints: Mapping[str, Any] | None,
) -> dict[str, str]:
    """`limits` maps fields, such as `BatchRequest.inputs`, to sentences. `other_endpoints` are those that only clients call."""
    found, fields = endpoints(document), Fields(document, limits)
    chosen = _chosen(found)
    models = {place: model for model, place in chosen.items()}
    remaining = _by_chapter(spec)
    # Before the endpoints, which refer to it.
    failures = _failures(document, fields)
    sections = [
        section(each, fields, chosen, remaining.pop(each.title, [])) for each in found
    ]
    return {
        "links": html(*map(_link, found)),
        **_for_clients(other_endpoints, chosen),
        "tokens": html(_tokens(document)),
        "model": html(_choice("model", models)),
        "embed_model": html(_choice("embed-model", models)),
        "endpoints": html(*sections),
        "failures": html(failures),
        "sdks": html(_sdk_lines(models["model"], chosen)),
        "spec": html(_rest_of_the_spec(remaining.values())),
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


def _chapter(name: str, title: str, *content: Element) -> Element:
    heading = f"{name}-title"
    return tag(
        "section",
        tag("h2", title, id=heading),
        *content,
        id=name,
        aria_labelledby=heading,
    )


def _tokens(document: Mapping[str, Any]) -> Element:
    schemes = document["components"]["securitySchemes"].values()
    return tag("ul", *[filled(tag("li"), _described(each)) for each in schemes])


def _failures(document: Mapping[str, Any], fields: Fields) -> Element:
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
        table("Envelope", "Error", fields, "always present"),
        tag("h3", "Headers"),
        tag("dl", *headers),
    ]
    columns = tag(
        "div",
        tag("div", *shape),
        tag("div", tag("h3", "Classes and codes"), tag("dl", *kinds)),
        class_="columns",
    )
    return _chapter("failures", "Failures", columns)


def _failure(kind: Mapping[str, Any]) -> list[Element]:
    term = tag("dt", tag("b", str(kind["status"])), " ")
    filled(term, [tag("code", kind["error"]), " ", tag("code", kind["code"])])
    if kind["retryable"]:
        filled(term, [" ", tag("i", "retryable")])
    return [term, filled(tag("dd"), _described(kind))]


def _for_clients(
    document: Mapping[str, Any] | None, chosen: Mapping[str, str]
) -> dict[str, str]:
    """What SDKs and OpenAI clients call besides the five endpoints."""
    if document is None:
        return {"clients_link": "", "list_models": "", "clients": ""}
    [about] = document["tags"]
    chapter = _chapter(
        "clients",
        about["name"],
        tag("p", *prose(about["description"])),
        *_client_endpoints(document, chosen),
    )
    link = tag("li", tag("a", "OpenAI clients", href="#clients"))
    # The page's script requests `GET /v1/models`.
    button = tag("button", "List the models", type="button", id="list-models")
    models = tag("p", button, " ", tag("span", id="models", role="status"))
    return {
        "clients_link": html(link),
        "list_models": html(models),
        "clients": html(chapter),
    }


def _client_endpoints(
    document: Mapping[str, Any], chosen: Mapping[str, str]
) -> Iterator[Element]:
    for path, item in document["paths"].items():
        [method] = item.keys() - {"servers"}
        operation = item[method]
        about = f"{operation['summary']}. {operation['description']}"
        lines = _client_curl(path, operation)
        yield copied(f"{method.upper()} {path}", lines, chosen, *prose(about))


def _client_curl(path: str, operation: Mapping[str, Any]) -> str:
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("example")
    authorization = "" if operation.get("security") == [] else TOKEN
    return curl(f"{ORIGIN}{path}", authorization, body, between=" \\\n  ")


def _sdk_lines(model: str, chosen: Mapping[str, str]) -> Element:
    blocks = [
        copied(f"{name}, base URL {url}", lines, chosen)
        for name, url, lines in sdks(ORIGIN, model)
    ]
    return _chapter("sdks", "SDKs", *blocks)


def _rest_of_the_spec(chapters: Iterable[Sequence[Requirement]]) -> Element:
    """The requirements that belong to no single endpoint."""
    return _chapter(
        "spec",
        "The rest of the specification",
        *map(sentences, chapters),
    )


def _described(thing: Mapping[str, Any]) -> list[Element | str]:
    ids = requirement_links(thing.get("x-requirements", ()))
    return [*prose(thing["description"]), *ids]
