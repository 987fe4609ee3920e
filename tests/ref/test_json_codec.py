"""JSON with and without orjson: the same values, the same meaning, always ASCII."""

import importlib
import json
import math
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
    "line ends of other alphabets": "a\u2028b\u2029c\x85d",
    "beyond the first plane": "\N{CHERRIES}",
    "control characters": "\x00\x1f\x7f",
    "half a surrogate pair": "\ud800",
    "deep": json.loads("[" * 300 + "]" * 300),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_is_encoded_is_ascii_on_one_line_and_decodes_to_the_same(codec, value):
    data = codec.encode(value)

    assert data.isascii() and len(data.splitlines()) == 1
    assert json.loads(data) == codec.decode(data) == value


def test_what_is_encoded_is_compact(codec):
    assert codec.encode({"a": [1, 2], "b": "c"}) == b'{"a":[1,2],"b":"c"}'


@pytest.mark.parametrize(
    "text",
    [b'"\\ud800"', b"1e400", b"1" * 400, b'"\xf0\x9f\x8d\x92"', b' {"a":1,"a":2} '],
)
def test_whatever_an_upstream_may_write_is_read_as_the_standard_library_reads_it(
    codec, text
):
    assert codec.decode(text) == json.loads(text)


def test_a_number_that_json_lacks_is_read_as_the_standard_library_reads_it(codec):
    assert math.isnan(codec.decode(b"NaN"))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"nope", b'{"a":1}x'])
def test_what_is_not_json_is_a_value_error(codec, text):
    with pytest.raises(ValueError):
        codec.decode(text)


def test_endless_nesting_is_an_error_and_no_crash(codec):
    with pytest.raises((ValueError, RecursionError)):
        codec.decode(b"[" * 1_000_000)


def test_orjson_does_the_work_where_it_is_installed(codec, request):
    fast = "with orjson" in request.node.callspec.id.replace("without", "")

    assert (codec.encode.__name__ == "_fast_encode") == fast
    assert (codec.decode.__name__ == "_fast_decode") == fast
