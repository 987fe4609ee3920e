"""The fields of a schema as a flat list, each with its whole path. Pure."""

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
        field = Field(
            path,
            type_words(self._document, schema),
            whole["description"],
            tuple(whole.get("x-requirements", ())),
            _refused_names(whole),
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


def _refused_names(schema: Schema) -> tuple[str, ...]:
    properties = schema.get("properties", {})
    return tuple(name for name, inner in properties.items() if inner == NEVER_THERE)


def component_of(schema: Schema) -> str:
    """The name of the schema that a schema refers to."""
    return str(schema.get("$ref", "")).rpartition("/")[2]
