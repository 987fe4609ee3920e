"""The head of a response, and where its body ends, however its bytes are cut in pieces on the way."""

import pytest
from urllib3.exceptions import IncompleteRead, InvalidHeader, ProtocolError

from octomil_ref.backends import framing
from octomil_ref.backends.framing import Chunked, Plain, request_head, take_head


def head(*lines: str) -> framing.Head:
    found, _ = take_head("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode())
    assert found
    return found


def test_a_head_has_a_status_and_headers_of_any_case():
    found, rest = take_head(b"HTTP/1.1 404 Not Found\r\nRetry-After: 7 \r\n\r\nbody")

    assert found
    assert (found.version, found.status) == ("1.1", 404)
    assert found.headers.get("retry-after") == "7"
    assert rest == b"body"


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"HTTP/1.1 200\r\nA: 1\r\n\r\n", id="without a reason"),
        pytest.param(b"HTTP/1.1 200 OK\nA: 1\n\n", id="with bare line feeds"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA:\r\n 1\r\n\r\n", id="with a folded header"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: 2\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n",
            id="after interim ones",
        ),
    ],
)
def test_a_head_is_understood(received):
    found, rest = take_head(received)

    assert found
    assert (found.status, found.headers["A"], rest) == (200, "1", b"")


def test_a_head_that_has_not_arrived_is_waited_for():
    received = b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n"

    for size in range(len(received)):
        assert take_head(received[:size]) == (None, received[:size])


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/2 200\r\n\r\n", id="HTTP/2"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="a status of four digits"),
        pytest.param(b"HTTP/1.1 OK\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", id="no colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n", id="a name with a space"),
        pytest.param(b"HTTP/1.1 200 OK\r\n: 1\r\n\r\n", id="no name"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 65536, id="no end in 64 KiB"),
    ],
)
def test_a_head_is_malformed_with(received):
    with pytest.raises(ProtocolError):
        take_head(received)


@pytest.mark.parametrize(
    "lines, kept",
    [
        (["HTTP/1.1 200 OK"], True),
        (["HTTP/1.1 200 OK", "Connection: Close"], False),
        (["HTTP/1.0 200 OK"], False),
        (["HTTP/1.0 200 OK", "Connection: Keep-Alive"], True),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 1"], False),
    ],
    ids=str,
)
def test_a_connection_may_be_used_again_after(lines, kept):
    found, _ = take_head("\r\n".join([*lines, "", ""]).encode())

    assert found
    assert found.keeps_alive() is kept


def test_a_request_has_a_line_and_headers():
    head = request_head("POST", "/a?b=c", {"Host": "h:1", "X": "é"})

    assert head == b"POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nX: \xe9\r\n\r\n"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\nB: c"])
def test_no_header_of_a_request_holds_a_line_end(value):
    with pytest.raises(InvalidHeader):
        request_head("GET", "/", {"A": value})


@pytest.mark.parametrize(
    "lines, body",
    [
        (["Content-Length: 2"], b"ab"),
        (["Content-Length: 2"] * 2, b"ab"),
        (["Transfer-Encoding: identity", "Content-Length: 2"], b"ab"),
        (["Transfer-Encoding: Chunked"], b"a"),
        (["Transfer-Encoding: chunked"] * 2, b"a"),
        (["Transfer-Encoding: chunked", "Content-Length: 2"], b"a"),
        ([], b"1\r\na\r\n0\r\n\r\nabc"),  # the end of the connection
    ],
    ids=str,
)
def test_the_end_of_a_body_is_found_by(lines, body):
    received = b"1\r\na\r\n0\r\n\r\nabc" if body != b"ab" else b"abc"

    assert framing.body_decoder(head(*lines)).feed(received) == body


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_has_no_body_with_status(status):
    found, _ = take_head(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\n" % status)

    assert found
    assert framing.body_decoder(found).complete


@pytest.mark.parametrize(
    "line",
    [
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: -1",
        "Content-Length: 1, 2",
        "Content-Length: 0x10",
        "Content-Length: \xb2",
        "Content-Length:",
    ],
)
def test_the_end_of_a_body_is_not_found_by(line):
    with pytest.raises(ProtocolError):
        framing.body_decoder(head(line))


@pytest.mark.parametrize("body, end", [(Plain(1), b"ab"), (Chunked(), b"0\r\n\r\nH")])
def test_more_than_the_end_of_a_body_is_surplus(body, end):
    body.feed(end)

    assert body.complete
    assert body.surplus


def test_a_body_with_a_length_ends_there():
    body = Plain(3)

    assert (body.feed(b"ab"), body.complete) == (b"ab", False)
    assert (body.feed(b"c"), body.complete, body.surplus) == (b"c", True, False)


def test_a_body_without_length_ends_with_its_connection():
    body = Plain(None)

    body.end()

    assert body.complete and body.surplus


@pytest.mark.parametrize("body", [Plain(1), Chunked()])
def test_a_body_is_incomplete_when_its_connection_ends_before_it(body):
    with pytest.raises(IncompleteRead):
        body.end()


CHUNKS = [
    pytest.param(b"0\r\n\r\n", b"", id="none"),
    pytest.param(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde", id="two"),
    pytest.param(b"00a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", id="ten in hex"),
    pytest.param(
        b"A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n" * 5, id="line ends"
    ),
    pytest.param(b'1 ;a="b"\r\na\r\n0;c\r\n\r\n', b"a", id="with extensions"),
    pytest.param(b"1\r\na\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", b"a", id="with trailers"),
    pytest.param(b"1\na\r\n0\n\n", b"a", id="with bare line feeds"),
]


@pytest.mark.parametrize("received, expected", CHUNKS)
def test_chunks_are_taken_out_however_they_are_cut(received, expected):
    for cut in range(len(received)):
        body = Chunked()

        first = body.feed(received[:cut])
        assert not body.complete
        both = first + body.feed(received[cut:])

        assert (both, body.complete, body.surplus) == (expected, True, False)


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"four\r\nabcd\r\n", id="a size in words"),
        pytest.param(b"-1\r\na\r\n", id="a negative size"),
        pytest.param(b"\r\n1\r\na\r\n", id="no size"),
        pytest.param(b"2\r\nabc\r\n", id="more data than its size"),
        pytest.param(b"3\r\nab\r\n0\r\n\r\n", id="less data than its size"),
        pytest.param(b"1" * 17, id="a size without end"),
        pytest.param(b"1;" + b"a" * 65536, id="an extension without end"),
        pytest.param(b"0\r\nA: " + b"a" * 65536, id="a trailer without end"),
    ],
)
def test_a_chunk_is_malformed_with(received):
    with pytest.raises(ProtocolError):
        Chunked().feed(received)
