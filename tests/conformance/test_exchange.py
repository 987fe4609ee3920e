"""Reading a stream in the suite: events byte by byte."""

import pytest
from octomil_conformance import sse


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
