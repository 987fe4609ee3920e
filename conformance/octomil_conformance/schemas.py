"""The schemas of openapi.json, for our own requests before they are sent, and for the server's responses."""

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from octomil_conformance import spec
from octomil_conformance.exchange import MISSING, WHOLE, Exchange
from octomil_conformance.expect import SuiteFault
from octomil_conformance.wire.common import json_fault

REQUESTS = {
    "infer": "InferenceRequest",
    "stream": "InferenceRequest",
    "batch": "BatchRequest",
    "embed": "EmbeddingsRequest",
}
ANSWERS = {
    "infer": "InferenceAnswer",
    "batch": "BatchAnswer",
    "embed": "EmbeddingsAnswer",
    "health": "HealthAnswer",
}


NUMBER = {"type": "number"}
TEXT = {"type": "string", "minLength": 1}
_items_one_by_one = Draft202012Validator.VALIDATORS["items"]


def _items(
    validator: Any, items: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    """As jsonschema's own function, but quick for vectors and texts, which take most of the time one by one."""
    types = {*map(type, value)} if isinstance(value, list) else {object}
    is_vector = items == NUMBER and types <= {int, float}
    are_texts = items == TEXT and types <= {str} and all(value)
    if not is_vector and not are_texts:
        yield from _items_one_by_one(validator, items, value, schema)


_Validator = extend(Draft202012Validator, {"items": _items})  # type: ignore[no-untyped-call]


@cache
def validator(component: str) -> Any:
    return _Validator(_whole({"$ref": f"#/components/schemas/{component}"}))


def _whole(schema: Any) -> Any:
    """The schema with each reference replaced by its target: jsonschema takes as long to follow a reference as to check the value."""
    if isinstance(schema, list):
        return [_whole(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _whole(each) for name, each in schema.items() if name != "$ref"}
    if "$ref" not in schema:
        return found
    component = schema["$ref"].removeprefix("#/components/schemas/")
    return _whole(spec.openapi()["components"]["schemas"][component]) | found


def complaint(component: str, value: object) -> str:
    """What is wrong with the value; empty if it is valid."""
    error = best_match(validator(component).iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else ""


def require_valid_request(profile: str, body: bytes) -> None:
    """Raises SuiteFault: if our own request breaks the spec, the server is not at fault."""
    wrong = _complaint_of_request(profile, body)
    if wrong:
        raise SuiteFault(f"our own {REQUESTS[profile]} is invalid: {wrong}")


@lru_cache(maxsize=1000)
def _complaint_of_request(profile: str, body: bytes) -> str:
    """Cached, because checks send the same few requests again and again, and one validation takes half a millisecond."""
    return complaint(REQUESTS[profile], json.loads(body))


def schema_complaints(exchange: Exchange) -> list[str]:
    """The faults of a response, each with its place."""
    values = _values(exchange)
    found = [
        "the body is not JSON" if value is MISSING else complaint(component, value)
        for component, value in values
    ]
    return [wrong for wrong in found if wrong]


def is_bound(exchange: Exchange) -> bool:
    """True if the response is a whole one to a usual request, so that its schema and its headers are those of this API."""
    if exchange.request.profile is None or exchange.status == 101:
        return False
    names = [name.lower() for name, _ in exchange.request.headers]
    # If a header is there twice, a proxy may answer with a page of its own.
    return exchange.end in WHOLE and len(names) == len({*names})


def _values(exchange: Exchange) -> list[tuple[str, Any]]:
    """The JSON values of a response, each with the name of its schema."""
    profile = exchange.request.profile
    if profile is None or not is_bound(exchange):
        return []
    if exchange.status >= 400 and profile != "health":
        is_strict = json_fault(exchange.body) == ""
        return [("Error", exchange.fields if is_strict else MISSING)]
    if profile == "stream":
        return [("StreamEvent", event) for event in exchange.events]
    return [(ANSWERS[profile], exchange.fields)]
