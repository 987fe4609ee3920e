"""Reads an OpenAPI document: its endpoints, and the fields of its schemas, each with its whole path and its type in words. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from octomil_ref.page.snippets import NEWLINE, curl

ORIGIN = "http://127.0.0.1:8000"
"""The page replaces this in the commands to copy with its own origin."""

BASE = "/api/v1"
TOKEN = '"Authorization: Bearer $TOKEN"'


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    """The path from the root of the server."""
    operation: Mapping[str, Any]
    """The operation as the OpenAPI document has it."""

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


# Fields

Schema = Mapping[str, Any]

PATTERNS = {"[^\\s\\u001c-\\u001f\\u0085]": "not blank"}

NEVER_THERE = {"type": "null"}  # the schema of a field that is refused


@dataclass(frozen=True)
class Field:
    path: str
    """The path of the field as a client would write it: `messages[].role`."""
    type: str
    description: str
    requirements: tuple[str, ...]
    refused_names: tuple[str, ...]
    """Names of refused fields inside this one."""
    required: bool
    listed_here: str
    """The shared schema whose fields follow; empty if none follow."""
    listed_before: str
    """The shared schema whose fields were listed earlier; empty if none were."""
    limit: str = ""
    """A sentence on this server's limit if the spec sets none."""


class Fields:
    """Lists the fields of each named schema once: the first time that it occurs."""

    def __init__(self, document: Schema, limits: Mapping[str, str]) -> None:
        """`limits` are sentences by field: `BatchRequest.inputs`."""
        self._document = document
        self._limits = limits
        self._listed: set[str] = set()

    def of(self, component: str) -> list[Field]:
        """The fields of a named schema; none if they were listed before."""
        schema = {"$ref": f"#/components/schemas/{component}"}
        return [
            replace(field, limit=self._limits.get(f"{component}.{field.path}", ""))
            for field in self._of(schema, "")
        ]

    def _of(self, schema: Schema, prefix: str) -> list[Field]:
        found: dict[str, Field] = {}
        for path, parent in self._objects(schema, prefix):
            required = parent.get("required", ())
            for name, inner in parent["properties"].items():
                if inner == NEVER_THERE:
                    continue
                here = f"{path}.{name}".removeprefix(".")
                if here not in found:
                    listed = self._with_inside(here, inner, name in required)
                    found |= {each.path: each for each in listed}
        return list(found.values())

    def _with_inside(self, path: str, schema: Schema, required: bool) -> list[Field]:
        component = component_of(schema)
        before = component in self._listed
        inside = self._of(schema, path)
        here = component in self._listed and not before
        whole = resolved(self._document, schema)
        properties = whole.get("properties", {}).items()
        field = Field(
            path,
            type_words(self._document, schema),
            whole["description"],
            tuple(whole.get("x-requirements", ())),
            tuple(name for name, inner in properties if inner == NEVER_THERE),
            required,
            listed_here=component if here else "",
            listed_before=component if before else "",
        )
        return [field, *inside]

    def _objects(self, schema: Schema, path: str) -> list[tuple[str, Schema]]:
        """The objects at a path: all alternatives, and the items of arrays."""
        component = component_of(schema)
        if component in self._listed:
            return []
        whole = resolved(self._document, schema)
        found = [(path, whole)] if "properties" in whole else []
        for each in (*whole.get("anyOf", ()), *whole.get("oneOf", ())):
            found += self._objects(each, path)
        if "items" in whole:
            found += self._objects(whole["items"], f"{path}[]")
        if component and found:
            self._listed.add(component)
        return found


def component_of(schema: Schema) -> str:
    """The name of the schema that a schema refers to."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def resolved(document: Schema, schema: Schema) -> Schema:
    """A schema with its reference resolved. Keys beside the reference take precedence."""
    if "$ref" not in schema:
        return schema
    *_, kind, name = schema["$ref"].split("/")
    target = resolved(document, document["components"][kind][name])
    return {**target, **{key: schema[key] for key in schema if key != "$ref"}}


def type_words(document: Schema, schema: Schema, plural: bool = False) -> str:
    """Empty if the schema allows anything."""
    whole = resolved(document, schema)
    match whole:
        case {"anyOf": alternatives}:
            return ", or ".join(type_words(document, each) for each in alternatives)
        case {"enum": values}:
            return _either([f"`{value}`" for value in values])
        case {"not": {"const": value}}:
            return f"any JSON value but `{json.dumps(value)}`"
        case {"not": {"type": name}}:
            return f"any JSON value but {name}"
        case {"type": str(name)}:
            return _one_type(document, whole, name, plural)
        case {"type": names}:
            return _either([_one_type(document, whole, name, plural) for name in names])
        case _:
            return ""


def _one_type(document: Schema, schema: Schema, name: str, plural: bool) -> str:
    noun = f"{name}s" if plural and name != "null" else name
    if name == "array":
        items = type_words(document, schema.get("items", {}), plural=True)
        count = _range(schema, "minItems", "maxItems")
        return " of ".join(filter(None, [noun, f"{count} {items}".strip()]))
    limits = ", ".join(_limits(schema, name))
    return f"{noun} ({limits})" if limits else noun


def _limits(schema: Schema, name: str) -> Iterator[str]:
    if name in ("number", "integer"):
        yield from filter(None, [_range(schema, "minimum", "maximum")])
    if name == "string":
        if characters := _range(schema, "minLength", "maxLength"):
            empty = characters == "1 or more"
            yield "not empty" if empty else f"{characters} characters"
        if pattern := schema.get("pattern"):
            yield PATTERNS.get(pattern, f"as `{pattern}`")


def _range(schema: Schema, lowest: str, highest: str) -> str:
    low, high = schema.get(lowest), schema.get(highest)
    if high is None:
        return "" if low is None else f"{low} or more"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
