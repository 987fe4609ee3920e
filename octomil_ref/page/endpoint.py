"""One endpoint as an OpenAPI document describes it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octomil_ref.page.fields import component_of
from octomil_ref.page.snippets import NEWLINE, curl

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
    def request(self) -> Mapping[str, Any]:
        """Schema and example of the body; empty if there is no body."""
        content = self.operation.get("requestBody", {}).get("content", {})
        body: Mapping[str, Any] = content.get("application/json", {})
        return body

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

    def curl(self, flags: str = NEWLINE) -> str:
        """The command that sends the example."""
        path = self.path
        for parameter in self.operation.get("parameters", ()):
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
        token = "" if self.operation.get("security") == [] else TOKEN
        example = self.request.get("example")
        return curl(f"{ORIGIN}{path}", token, example, flags, " \\\n  ")


def endpoints(document: Mapping[str, Any]) -> list[Endpoint]:
    """A path with `servers` of its own is not below `/api/v1`."""
    return [
        Endpoint(
            method.upper(), f"{'' if 'servers' in item else BASE}{path}", item[method]
        )
        for path, item in document["paths"].items()
        for method in item.keys() - {"servers"}
    ]
