"""The chapter on what SDKs and OpenAI clients call besides the five endpoints. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from octomil_ref.page.endpoint import ORIGIN, TOKEN
from octomil_ref.page.markup import copied, prose, tag
from octomil_ref.page.snippets import curl

Document = Mapping[str, Any]

LINK = tag("li", tag("a", "OpenAI clients", href="#clients"))

LIST = tag(
    "p",
    tag("button", "List the models", type="button", id="list-models"),
    " ",
    tag("span", id="models", role="status"),
)
"""The button beside the fields for a model. The page's script requests `GET /v1/models`."""


def merged(document: Document, clients: Document) -> Document:
    """The spec's OpenAPI document with these paths added. Theirs begin at the root of the server."""
    paths = {**document["paths"], **clients["paths"]}
    return {**document, "tags": clients["tags"], "paths": paths}


def chapter(clients: Document, chosen: Mapping[str, str]) -> Element:
    """`chosen` has the texts that the reader can replace in the examples."""
    [about] = clients["tags"]
    return tag(
        "section",
        tag("h2", about["name"], id="clients-title"),
        tag("p", *prose(about["description"])),
        *_endpoints(clients, chosen),
        id="clients",
        aria_labelledby="clients-title",
    )


def _endpoints(clients: Document, chosen: Mapping[str, str]) -> Iterator[Element]:
    for path, item in clients["paths"].items():
        [method] = item.keys() - {"servers"}
        operation = item[method]
        about = f"{operation['summary']}. {operation['description']}"
        lines = _curl(path, operation)
        yield copied(f"{method.upper()} {path}", lines, chosen, *prose(about))


def _curl(path: str, operation: Mapping[str, Any]) -> str:
    for parameter in operation.get("parameters", ()):
        path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("example")
    authorization = "" if operation.get("security") == [] else TOKEN
    return curl(f"{ORIGIN}{path}", authorization, body, between=" \\\n  ")
