"""What a schema allows, in words."""

import pytest

from octomil_ref.page.words import type_words

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
def test_a_schema_in_words(schema, words):
    assert type_words(DOCUMENT, schema) == words
