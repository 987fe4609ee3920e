"""The fields of a schema as a flat list with paths, and types in words."""

import pytest

from octomil_ref.page.openapi import Fields, type_words


def text(description: str, **more: object) -> dict[str, object]:
    return {"type": "string", "description": description, **more}


def whole(properties: dict[str, object], *required: str) -> dict[str, object]:
    return {"type": "object", "required": [*required], "properties": properties}


def refers(name: str, **beside: object) -> dict[str, object]:
    return {"$ref": f"#/components/schemas/{name}", **beside}


INNER = whole({"name": text("Its name."), "model": {"type": "null"}}, "name") | {
    "description": "Shared."
}
SCHEMAS = {
    "Inner": INNER,
    "Lists": whole(
        {
            "items": {
                "type": "array",
                "items": refers("Inner"),
                "description": "Many.",
            },
            "either": {
                "description": "One of two.",
                "anyOf": [{"type": "string"}, whole({"part": text("A part.")})],
            },
        }
    ),
    "Twice": whole(
        {
            "id": text("Whose.", **{"x-requirements": ["A-01"]}),
            "one": refers("Inner"),
            "two": refers("Inner", description="Another."),
        },
        "id",
    )
    | {"oneOf": [whole({"id": {"const": ""}}), whole({"other": text("Or this.")})]},
}


def fields(*components: str, **limits: str):
    """The fields of the last component, after the others were listed."""
    listing = Fields({"components": {"schemas": SCHEMAS}}, limits)
    return {
        field.path: field for field in [listing.of(name) for name in components][-1]
    }


def test_nested_fields_have_their_whole_path():
    assert [*fields("Lists")] == ["items", "items[].name", "either", "either.part"]


def test_the_fields_of_a_shared_schema_are_listed_once():
    found = fields("Twice")

    assert [*found] == ["id", "one", "one.name", "two", "other"]
    assert (found["one"].listed_here, found["one"].listed_before) == ("Inner", "")
    assert (found["two"].listed_here, found["two"].listed_before) == ("", "Inner")


def test_a_schema_that_was_listed_before_has_no_fields():
    assert fields("Inner", "Inner") == {}
    assert [*fields("Inner", "Lists")] == ["items", "either", "either.part"]


def test_a_field_has_the_properties_of_its_schema():
    found = fields("Twice")

    assert found["id"].required and not found["other"].required
    assert found["id"].type == "string"
    assert found["id"].requirements == ("A-01",)
    assert found["one"].description == "Shared."
    assert found["one"].refused_names == ("model",)
    assert found["two"].description == "Another."


def test_a_limit_of_this_server_belongs_to_its_field():
    found = fields("Twice", **{"Twice.id": "At most 7."})

    assert found["id"].limit == "At most 7."
    assert found["other"].limit == ""


DOCUMENT = {"components": {"schemas": {"Id": {"type": "string", "minLength": 1}}}}
BLANK = "[^\\s\\u001c-\\u001f\\u0085]"
ID = {"$ref": "#/components/schemas/Id"}


@pytest.mark.parametrize(
    "schema, words",
    [
        ({}, ""),
        ({"description": "Anything."}, ""),
        ({"type": "boolean"}, "boolean"),
        ({"type": "integer", "minimum": 1}, "integer (1 or more)"),
        ({"type": "number", "maximum": 2}, "number (at most 2)"),
        (
            {"type": ["number", "null"], "minimum": 0, "maximum": 2},
            "number (0 to 2) or null",
        ),
        ({"type": "string", "minLength": 1}, "string (not empty)"),
        (
            {"type": "string", "minLength": 1, "maxLength": 9, "pattern": BLANK},
            "string (1 to 9 characters, not blank)",
        ),
        ({"type": "string", "pattern": "^x"}, "string (as `^x`)"),
        ({"enum": ["a"]}, "`a`"),
        ({"enum": ["a", "b", "c"]}, "`a`, `b` or `c`"),
        ({"not": {"const": ""}}, 'any JSON value but `""`'),
        ({"not": {"type": "null"}}, "any JSON value but null"),
        ({"type": "array"}, "array"),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 8},
            "array of at most 8 strings",
        ),
        (
            {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "items": {"type": "number"}},
            },
            "array of 1 or more arrays of numbers",
        ),
        (
            {"anyOf": [{"type": ["string", "null"]}, {"type": "object"}]},
            "string or null, or object",
        ),
        (ID, "string (not empty)"),
        ({**ID, "minLength": 2}, "string (2 or more characters)"),
        ({"type": "array", "items": ID}, "array of strings (not empty)"),
    ],
)
def test_the_type_of_a_schema_is_written_in_words(schema, words):
    assert type_words(DOCUMENT, schema) == words
