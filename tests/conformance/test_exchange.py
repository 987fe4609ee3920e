"""Reading a response in the suite: events byte by byte, missing fields, and the schema that binds it."""

import pytest
from octomil_conformance import schemas, sse
from octomil_conformance.exchange import (
    MISSING,
    Chunk,
    Exchange,
    Fields,
    Request,
    read_json,
)


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


def test_a_frame_knows_whether_a_blank_line_ended_it():
    frames = sse.parse(b"data: 1\n\ndata: 2\n")

    assert [frame.terminated for frame in frames] == [True, False]


def test_a_missing_field_reads_as_missing():
    value = read_json(b'{"a": {"b": 1}}')

    assert isinstance(value, Fields)
    assert value["a"]["b"] == 1
    assert value["x"]["y"] is MISSING
    assert read_json(b"[" * 100_000) is MISSING


@pytest.mark.parametrize("end, complaints", [("hung up", 0), ("complete", 1)])
def test_only_whole_responses_are_bound_by_their_schema(end, complaints):
    request = Request("POST", "http://x/api/v1/inference", (), b"{}", "infer")
    exchange = Exchange(request, 200, (), (Chunk(0.1, b'{"output"'),), end, 0.2)

    assert len(schemas.schema_complaints(exchange)) == complaints
