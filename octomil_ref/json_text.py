"""JSON text in and out, stricter than the standard library's defaults (RFC 8259). Pure.

Reading refuses what two parsers could read differently or what would fail later on: duplicate keys, NaN and Infinity,
numbers out of range, lone surrogates, absurd nesting. Writing gives ASCII, so that no character inside a string can end a
line: U+2028, U+2029 and U+0085 cost the Python SDK the token they stand in.
"""

import json
import math
from typing import Any, NoReturn

from octomil_ref import json_codec

MAX_DEPTH = 100
"""Arrays and objects inside one another, at most."""

MAX_DIGITS = 1000
"""Digits of an integer, at most."""


def read(data: bytes) -> Any:
    """The value that `data` holds. Raises ValueError with a sentence for the client, without the input in it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as ex:
        raise ValueError(f"not UTF-8 at byte {ex.start}") from ex
    if text.startswith("\ufeff"):
        raise ValueError("it starts with a byte order mark")
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as ex:
        what = ex.msg.removesuffix(" at")
        raise ValueError(f"{what} at line {ex.lineno} column {ex.colno}") from ex
    except RecursionError as ex:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from ex
    _check_depth(text, value)
    _check_surrogates(text, value)
    return value


write = json_codec.encode
"""A value as compact ASCII JSON."""


def write_readable(value: object) -> str:
    """`value` as compact JSON with its characters unescaped: for a model to read, not for a wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object has the same key twice")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=_number,
    parse_int=_integer,
)


def _check_depth(text: str, value: object) -> None:
    # Counting brackets is quick, and text with few of them cannot be deep.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _containers_in(outer)]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _containers_in(value: object) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    members = value if isinstance(value, list) else []
    return [member for member in members if isinstance(member, (dict, list))]


def _check_surrogates(text: str, value: object) -> None:
    # UTF-8 itself cannot carry a surrogate, so only an escape can have brought one.
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as ex:
        raise ValueError("a string holds half of a surrogate pair") from ex
