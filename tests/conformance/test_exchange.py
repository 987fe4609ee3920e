"""Reading a response in the suite: events byte by byte, and missing fields."""

import pytest
from octomil_conformance import sse
from octomil_conformance.exchange import MISSING, read_json


@pytest.mark.parametrize(
    "body, payloads",
    [
        (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: 1\r\n\r\ndata:2\r\n\r\n", [b"1", b"2"]),
        (b": hi\n\nevent: token\nid: 7\ndata: 1\n\n", [b"1"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b" data: 1\n\n", [b"1"]),
        (b"data: 1\rdata: 2\r\r", [b"1\n2"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_events_are_read_leniently(body, payloads):
    assert [frame.payload for frame in sse.parse(body) if frame.data] == payloads


def test_a_missing_field_reads_as_missing():
    value = read_json(b'{"a": {"b": 1}}')

    assert value["a"]["b"] == 1
    assert value["x"]["y"] is MISSING
    assert read_json(b"[" * 100_000) is MISSING
