"""A strict reader of requests: in one way or not at all, wherever the pieces are cut."""

import pytest
from waitress.adjustments import Adjustments

from octomil_ref.servers.waitress_parser import MAX_LINE, MAX_TRAILER, StrictParser

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def parse(data: bytes, piece: int = 8192) -> tuple[StrictParser, bytes]:
    """One request from the beginning of `data`, fed in pieces, and what is left for the next."""
    parser = StrictParser(Adjustments())
    while data and not parser.completed:
        taken = parser.received(data[:piece])
        data = data[taken:]
    return parser, data


def body(parser: StrictParser) -> bytes:
    return parser.get_body_stream().read()


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 8192])
@pytest.mark.parametrize("trailer", [b"", b"X-A: b\r\nX-C: d\r\n"])
def test_chunks_are_joined_however_they_arrive(piece, trailer):
    chunks = b"5\r\nhello\r\n1;a=b\r\n,\r\n6\r\n world\r\n0\r\n"

    parser, rest = parse(CHUNKED + chunks + trailer + b"\r\nGET /", piece)

    assert parser.error is None
    assert body(parser) == b"hello, world"
    assert rest == b"GET /"


@pytest.mark.parametrize("piece", [1, 3, 8192])
@pytest.mark.parametrize(
    "chunks",
    [
        b"5\n\r\nhello\r\n0\r\n\r\n",
        b"5;a\n\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloxx0\r\n\r\n",
        b"5\r\nhello\r\n0\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\n\r\n",
        b"0\r\nX-A: b\nX-C: d\r\n\r\n",
        b"0\r\n X-A: b\r\n\r\n",
    ],
)
def test_chunks_that_are_not_plain_are_refused(chunks, piece):
    parser, _ = parse(CHUNKED + chunks, piece)

    assert parser.completed
    assert parser.error.code == 400


@pytest.mark.parametrize(
    ("begun", "bytes_taken"), [(b"5;", MAX_LINE), (b"0\r\nX-A: ", MAX_TRAILER)]
)
def test_lines_without_end_are_refused(begun, bytes_taken):
    parser, rest = parse(CHUNKED + begun + b"a" * 1_000_000)

    assert parser.error.code == 400
    assert len(rest) > 1_000_000 - 2 * bytes_taken - 8192


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        HEAD + b"Content-Length: 5\r\ntransfer-encoding : chunked\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        HEAD + b"Transfer-Encoding: chunked, chunked\r\n",
        HEAD + b"Transfer-Encoding: ,chunked\r\n",
        HEAD + b"Transfer-Encoding:\r\n",
        HEAD + b"Transfer-Encoding:\r\n chunked\r\n",
        HEAD + b"X-A: b\r\n\tContent-Length: 5\r\n",
        HEAD + b"Host: example.com\r\n",
        HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n",
        HEAD.replace(b"1.1", b"1.2") + b"Content-Length: 5\r\n",
        HEAD.replace(b" HTTP/1.1", b"") + b"Content-Length: 5\r\n",
        HEAD.replace(b"POST", b"CONNECT"),
    ],
)
def test_a_head_that_has_two_meanings_is_refused(head):
    parser, _ = parse(head + b"\r\nhello")

    assert parser.completed
    assert parser.error.code == 400


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_length_is_read_as_ever(version):
    head = HEAD.replace(b"1.1", version) + b"Content-Length: 5\r\n\r\n"

    parser, rest = parse(head + b"hello, world")

    assert parser.error is None
    assert body(parser) == b"hello"
    assert rest == b", world"


def test_the_name_of_the_coding_may_be_in_large_letters():
    head = HEAD + b"TRANSFER-ENCODING:\tCHUNKED \r\n\r\n"

    parser, _ = parse(head + b"5\r\nhello\r\n0\r\n\r\n")

    assert parser.error is None
    assert body(parser) == b"hello"
