"""JSON in and out (RFC 8259). Pure.

Bodies of clients are decoded strictly: duplicate keys, NaN and Infinity, numbers out of range, lone surrogates and absurd
nesting are refused, because two parsers could read them differently or they would fail later on. Everything else is
encoded and decoded by orjson if it is installed (the extra `fast`), else by the standard library. `encode` writes ASCII, so that
no character inside a string can end a line: U+2028, U+2029 and U+0085 cost the Python SDK the token that holds them.
"""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

MAX_DEPTH = 100  # levels of nested arrays and objects
MAX_DIGITS = 1000  # digits of an integer

_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _standard_encode(value: object) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _standard_decode(data: bytes) -> Any:
    # Some upstreams cut characters of several bytes, or do not escape line ends.
    text = data.decode("utf-8-sig", "replace")
    try:
        return json.loads(text, strict=False)
    except RecursionError as ex:
        raise ValueError("nested too deeply") from ex


encode: Callable[[object], bytes] = _standard_encode
"""A value as compact ASCII JSON. The value must not contain NaN or Infinity, which are not JSON."""

decode: Callable[[bytes], Any] = _standard_decode
"""The value in the bytes, without the checks of `decode_strictly`. Raises ValueError."""

try:
    import orjson
except ImportError:
    pass
else:
    # orjson accepts fewer values (no lone surrogate, no integer of more than 64 bits) and does not escape to ASCII.
    # The standard library encodes and decodes what orjson does not. A larger integer may be decoded as a float.

    def _fast_encode(value: object) -> bytes:
        try:
            data = orjson.dumps(value)
        except TypeError:
            return _standard_encode(value)
        return data if data.isascii() else _standard_encode(value)

    def _fast_decode(data: bytes) -> Any:
        try:
            return orjson.loads(data)
        except ValueError:
            return _standard_decode(data)

    encode, decode = _fast_encode, _fast_decode


def encode_readable(value: object) -> str:
    """`value` as compact JSON with unescaped characters, for a model to read."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def decode_strictly(data: bytes) -> Any:
    """The value in a client's bytes. Raises ValueError with a message for the client that does not repeat the input."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as ex:
        raise ValueError(f"not UTF-8 at byte {ex.start}") from ex
    if text.startswith("\ufeff"):
        raise ValueError("it starts with a byte order mark")
    try:
        value = _strict_decoder.decode(text)
    except json.JSONDecodeError as ex:
        what = ex.msg.removesuffix(" at")
        raise ValueError(f"{what} at line {ex.lineno} column {ex.colno}") from ex
    except RecursionError as ex:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from ex
    _check_depth(text, value)
    _check_surrogates(text, value)
    return value


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


_strict_decoder = json.JSONDecoder(
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
    # UTF-8 cannot encode a surrogate, so only an escape such as `\ud83c` can contain one.
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as ex:
        raise ValueError("a string holds half of a surrogate pair") from ex
