"""The fields of a schema as a reader takes them in: one after the other, each with its whole path. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from octomil_ref.page.words import Schema, resolved, type_words

NEVER_THERE = {"type": "null"}
"""The schema of a field that is refused."""


@dataclass(frozen=True)
class Field:
    path: str
    """As a client would write it: `messages[].role`."""
    type: str
    description: str
    requirements: tuple[str, ...]
    refused_names: tuple[str, ...]
    """Of fields inside that are refused."""
    required: bool
    told_here: str
    """The shared schema whose fields come next; empty: none do."""
    told_before: str
    """The shared schema whose fields stand where it came up first; empty: nowhere."""
    limit: str = ""
    """A sentence on what this server takes, where the spec sets no limit."""


class Fields:
    """Each named schema is gone into once: the first time that it comes up."""

    def __init__(self, document: Schema, limits: Mapping[str, str]) -> None:
        """`limits` are sentences about fields, named like `BatchRequest.inputs`."""
        self._document = document
        self._limits = limits
        self._told: set[str] = set()

    def of(self, component: str) -> list[Field]:
        """Those of a named schema; none where it was gone into before."""
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
                    told = self._with_inside(here, inner, name in required)
                    found |= {each.path: each for each in told}
        return list(found.values())

    def _with_inside(self, path: str, schema: Schema, required: bool) -> list[Field]:
        component = component_of(schema)
        before = component in self._told
        inside = self._of(schema, path)
        here = component in self._told and not before
        whole = resolved(self._document, schema)
        field = Field(
            path,
            type_words(self._document, schema),
            whole["description"],
            tuple(whole.get("x-requirements", ())),
            _refused_names(whole),
            required,
            told_here=component if here else "",
            told_before=component if before else "",
        )
        return [field, *inside]

    def _objects(self, schema: Schema, path: str) -> list[tuple[str, Schema]]:
        """What has fields, at a path or in the arrays there, whichever alternative it is."""
        component = component_of(schema)
        if component in self._told:
            return []
        whole = resolved(self._document, schema)
        found = [(path, whole)] if "properties" in whole else []
        for each in (*whole.get("anyOf", ()), *whole.get("oneOf", ())):
            found += self._objects(each, path)
        if "items" in whole:
            found += self._objects(whole["items"], f"{path}[]")
        if component and found:
            self._told.add(component)
        return found


def _refused_names(schema: Schema) -> tuple[str, ...]:
    properties = schema.get("properties", {})
    return tuple(name for name, inner in properties.items() if inner == NEVER_THERE)


def component_of(schema: Schema) -> str:
    """The name of what a schema refers to."""
    return str(schema.get("$ref", "")).rpartition("/")[2]
