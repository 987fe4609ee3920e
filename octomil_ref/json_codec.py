"""JSON encoded and decoded by orjson where it is installed (the extra `fast`), else by the standard library. Pure.

Both read the same values (an integer of more than 64 bits may become a float) and write ASCII of the same meaning. What
orjson does not take (half of a surrogate pair, say) or does not escape goes to the standard library, whose word counts.
"""

import json
from collections.abc import Callable
from typing import Any

_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _standard_encode(value: object) -> bytes:
    return _encoder.encode(value).encode("ascii")


def _standard_decode(data: bytes) -> Any:
    return json.loads(data)


encode: Callable[[object], bytes] = _standard_encode
"""Compact ASCII. NaN and Infinity, which JSON lacks, must not be in the value."""

decode: Callable[[bytes], Any] = _standard_decode
"""Whatever the bytes hold. Raises ValueError or RecursionError."""

try:
    import orjson
except ImportError:
    pass
else:

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
