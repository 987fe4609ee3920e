"""JSON in and out, with and without orjson, and the strict decoding of what clients send."""

import importlib
import json
import sys

import pytest

from octomil_ref import json_codec


@pytest.fixture(params=["with orjson", "without orjson"])
def codec(request, monkeypatch):
    if request.param == "without orjson":
        monkeypatch.setitem(sys.modules, "orjson", None)
    yield importlib.reload(json_codec)
    monkeypatch.undo()
    importlib.reload(json_codec)


VALUES = {
    "nothing": {},
    "text": {"a": 'x"\\\n\t', "b": ["", None, True, False]},
    "numbers": [0, -1, 1.5, 1e300, 2**53, 2**64, 10**22],
    "all line ends": "a\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b",
    "beyond the first plane": "\N{CHERRIES}",
    "control characters": "\x00\x1f\x7f",
    "half a surrogate pair": "\ud800",
    "deep": json.loads("[" * 300 + "]" * 300),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_encoded_json_is_one_line_of_ascii_and_decodes_to_the_same_value(codec, value):
    data = codec.encode(value)

    assert data.isascii() and len(data.splitlines()) == 1
    assert json.loads(data) == codec.decode(data) == value


@pytest.mark.parametrize(
    "data, text",
    [(b'"a\xe2\x82"', "a\ufffd"), (b'"a\nb\tc"', "a\nb\tc"), (b'\xef\xbb\xbf"a"', "a")],
    ids=["half of a character", "control characters", "a byte order mark"],
)
def test_json_of_an_upstream_may_have(codec, data, text):
    assert codec.decode(data) == text


def test_endless_nesting_is_an_error_and_does_not_crash(codec):
    with pytest.raises(ValueError, match="nested too deeply"):
        codec.decode(b"[" * 1_000_000)


def test_orjson_is_used_if_it_is_installed(codec, request):
    fast = "with orjson" in request.node.callspec.id.replace("without", "")

    assert (codec.encode.__name__ == "_fast_encode") == fast
    assert (codec.decode.__name__ == "_fast_decode") == fast


DEEP_OBJECTS = b'{"a":' * 100 + b"1" + b"}" * 100
DEEP_AND_BROAD = b"[[]," + b"[" * 99 + b'"x"' + b"]" * 100

ACCEPTED = {
    "an object": (b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
    "a value that is not an object": (b"42", 42),
    "white space around": (b' \r\n\t"x" ', "x"),
    "UTF-8": ('"\u00e9\u2028"'.encode(), "\u00e9\u2028"),
    "a surrogate pair": (b'"\\ud83c\\udf52"', "\N{CHERRIES}"),
    "a backslash that only looks like a surrogate": (b'"\\\\ud800"', "\\ud800"),
    "the same key in two objects": (b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
    "an integer beyond 64 bits": (b"18446744073709551616", 2**64),
    "a number too small to tell from 0": (b"1e-999", 0.0),
    "many arrays side by side": (b"[" + b"[1]," * 200 + b"{}]", [[1]] * 200 + [{}]),
    "100 objects": (DEEP_OBJECTS, json.loads(DEEP_OBJECTS)),
    "100 levels beside another array": (DEEP_AND_BROAD, json.loads(DEEP_AND_BROAD)),
}

REFUSED = {
    "not JSON": (b"model_id=x", "Expecting value at line 1 column 1"),
    "cut off": (b'{"a":\n [1', "Expecting ',' delimiter at line 2 column 4"),
    "something after the value": (b"{} {}", "Extra data at line 1 column 4"),
    "single quotes": (b"{'a': 1}", "double quotes"),
    "a byte that is not UTF-8": (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "a byte order mark"),
    "a control character": (b'"a\nb"', "Invalid control character"),
    "a NUL": (b"\x00", "Expecting value"),
    "the same key twice": (b'{"a": 1, "a": 1}', "an object has the same key twice"),
    "the same key twice inside": (b'[{"b": {"a": 1, "a": 2}}]', "the same key twice"),
    "the same key, once escaped": (b'{"a": 1, "\\u0061": 2}', "the same key twice"),
    "NaN": (b'{"a": NaN}', "NaN is not JSON"),
    "Infinity": (b"Infinity", "Infinity is not JSON"),
    "minus Infinity": (b"[-Infinity]", "-Infinity is not JSON"),
    "a number beyond a double": (b"1e999", "a number is out of range"),
    "a fraction of 5,000 digits before its point": (b"9" * 5000 + b".5", "range"),
    "the first half of a surrogate pair": (b'"\\ud83c"', "half of a surrogate pair"),
    "the second half in capitals": (b'"\\UDF52"'.replace(b"U", b"u", 1), "surrogate"),
    "half of a pair in a key": (b'{"\\ud83c": 1}', "half of a surrogate pair"),
    "101 arrays": (b"[" * 101 + b"]" * 101, "nested deeper than 100 levels"),
    "a number of 5,000 digits": (b"9" * 5000, "a number has more than 1000 digits"),
    "a string without end": (b'"a', "Unterminated string starting at line 1"),
    "a value in 101 arrays": (b"[" * 101 + b"1" + b"]" * 101, "nested deeper"),
    "a value in 101 objects": (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper"),
    "100,000 arrays": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "100,000 arrays that do not end": (b"[" * 100_000, "nested deeper"),
}


@pytest.mark.parametrize("data, value", ACCEPTED.values(), ids=ACCEPTED)
def test_strict_decoding_accepts(data, value):
    assert json_codec.decode_strictly(data) == value


@pytest.mark.parametrize("data, message", REFUSED.values(), ids=REFUSED)
def test_strict_decoding_refuses(data, message):
    with pytest.raises(ValueError, match=message):
        json_codec.decode_strictly(data)


@pytest.mark.parametrize(
    "data",
    [b'{"prompt": "a secret', b'{"a secret": 1, "a secret": 2}', b'"a secret\\ud800"'],
    ids=["broken syntax", "the same key twice", "half of a surrogate pair"],
)
def test_an_error_does_not_repeat_the_input(data):
    with pytest.raises(ValueError) as caught:
        json_codec.decode_strictly(data)

    assert "secret" not in str(caught.value)
