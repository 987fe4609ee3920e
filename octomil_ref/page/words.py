"""The type of a schema in words: `string (1 to 256 characters, not blank)`. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

PATTERNS = {"[^\\s\\u001c-\\u001f\\u0085]": "not blank"}


def resolved(document: Schema, schema: Schema) -> Schema:
    """A schema with its reference resolved. Keys beside the reference win."""
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
