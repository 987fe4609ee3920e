"""The section of one endpoint: its request and response, a form to try it, commands to copy. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from octomil_conformance.spec import Requirement

from octomil_ref.page.fields import Fields, component_of
from octomil_ref.page.markup import copied, filled, prose, requirement_links, tag
from octomil_ref.page.snippets import NEWLINE, curl, quoted
from octomil_ref.page.tables import sentences, table

ORIGIN = "http://127.0.0.1:8000"
"""The page replaces this in the commands to copy with its own origin."""

BASE = "/api/v1"
TOKEN = '"Authorization: Bearer $TOKEN"'


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    """From the root of the server."""
    operation: Mapping[str, Any]
    """As the OpenAPI document has it."""

    @property
    def name(self) -> str:
        """The name of the spec's profile if the endpoint has one."""
        return str(self.operation["operationId"])

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        return self.operation.get("security") == []

    @property
    def request(self) -> Mapping[str, Any]:
        """Schema and example of the body; empty if there is no body."""
        body = self.operation.get("requestBody", {"content": {"application/json": {}}})
        content: Mapping[str, Any] = body["content"]["application/json"]
        return content

    @property
    def streamed(self) -> bool:
        return "text/event-stream" in self._content

    @property
    def answer(self) -> str:
        """The name of the schema of the answer, or of each of its events."""
        [content] = self._content.values()
        return component_of(content.get("x-event-schema", content["schema"]))

    @property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self.operation["responses"]["200"]["content"]
        return content


def endpoints(document: Mapping[str, Any]) -> list[Endpoint]:
    return [
        Endpoint(method.upper(), BASE + path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def section(
    endpoint: Endpoint,
    fields: Fields,
    chosen: Mapping[str, str],
    requirements: Sequence[Requirement],
) -> Element:
    """`chosen` has the texts that the reader can replace in the examples."""
    heading = f"{endpoint.name}-title"
    title = tag("h2", tag("b", endpoint.method), f" {endpoint.path}", id=heading)
    details = _tables(endpoint, fields)
    if requirements:
        details.append(sentences(requirements))
    lines = copied("curl", _curl(endpoint), _replaced(endpoint, chosen))
    return tag(
        "section",
        tag("div", title, *_about(endpoint)),
        tag("div", _form(endpoint, chosen), lines, class_="tried"),
        tag("div", *details),
        id=endpoint.name,
        aria_labelledby=heading,
        class_="endpoint columns",
    )


def _about(endpoint: Endpoint) -> list[Element]:
    operation = endpoint.operation
    ids = requirement_links(operation.get("x-requirements", ()))
    return [
        tag("p", operation["summary"], class_="summary"),
        tag("p", *prose(operation["description"]), *ids),
    ]


def _tables(endpoint: Endpoint, fields: Fields) -> list[Element]:
    answer = "Each event" if endpoint.streamed else "Response"
    found = [table(answer, endpoint.answer, fields, "always present")]
    if schema := endpoint.request.get("schema"):
        found.insert(0, table("Request", component_of(schema), fields, "required"))
    return found


def _form(endpoint: Endpoint, chosen: Mapping[str, str]) -> Element:
    form = tag("form", tag("h3", "Try it"), class_="try")
    form.attrib |= {"data-method": endpoint.method, "data-path": endpoint.path}
    if example := endpoint.request.get("example"):
        form.set("data-model", chosen[example["model_id"]])
        filled(form, _body(endpoint.name, json.dumps(example, indent=2)))
    send = tag("button", "Send", type="submit")
    stop = tag("button", "Stop", type="button", class_="stop", disabled="")
    shown = {"tabindex": "0", "hidden": ""}
    return filled(
        form,
        [
            tag("p", send, " ", stop),
            tag("p", class_="state", role="status"),
            tag("p", class_="figures"),
            tag("pre", class_="text", aria_label="Text", **shown),
            tag("pre", class_="json", aria_label="JSON", **shown),
        ],
    )


def _body(name: str, text: str) -> list[Element]:
    field = f"{name}-body"
    area = tag("textarea", text, id=field, rows=str(text.count("\n") + 1))
    area.attrib |= {"spellcheck": "false", "autocomplete": "off"}
    return [tag("label", "Request body", for_=field), area]


def _replaced(endpoint: Endpoint, chosen: Mapping[str, str]) -> dict[str, str]:
    """The whole body too, which follows the form."""
    body = {}
    if example := endpoint.request.get("example"):
        body[quoted(example)] = "body"
    return body | dict(chosen)


def _curl(endpoint: Endpoint) -> str:
    return curl(
        f"{ORIGIN}{endpoint.path}",
        "" if endpoint.public else TOKEN,
        endpoint.request.get("example"),
        "-sN" if endpoint.streamed else NEWLINE,
        " \\\n  ",
    )
