"""The server under layers passes on what they do, and what clients do wrong with HTTP ends in an answer."""

import socket
from contextlib import closing

import pytest
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import MAX_BODY, Response

SOON = 5.0
CHUNKED = "Transfer-Encoding: chunked"
TOO_MUCH = b"a" * (MAX_BODY + 1)


def echo(request):
    """The request's body, with a Content-Length if the request has an `X-Length`."""
    headers = {"X-Path": request.path}
    if "x-length" in request.headers:
        headers["content-length"] = str(len(request.body))
    return Response(200, headers, [request.body])


@pytest.fixture
def talk():
    """Sends bytes on one connection, and gives all that comes back until the server closes it."""

    def said(data, ask=echo):
        with serving(ask) as url:
            host, port = url.removeprefix("http://").split(":")
            with closing(socket.create_connection((host, int(port)), SOON)) as client:
                client.sendall(data)
                return b"".join(iter(lambda: client.recv(65536), b""))

    return said


def post(body=b"", *lines, version="1.1"):
    head = [f"POST /p?q HTTP/{version}", "Host: x", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def test_a_body_without_a_length_is_chunked_though_the_client_will_close(talk):
    answer = talk(post(b"abc", "Content-Length: 3"))

    assert answer.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert b"X-Path: /p\r\n" in answer


def test_a_body_with_a_length_is_sent_as_it_is(talk):
    answer = talk(post(b"abc", "Content-Length: 3", "X-Length: 1"))

    assert answer.endswith(b"\r\n\r\nabc")
    assert b"Transfer-Encoding" not in answer


def test_an_old_client_gets_a_body_that_ends_with_the_connection(talk):
    answer = talk(post(b"abc", "Content-Length: 3", version="1.0"))

    assert answer.endswith(b"\r\n\r\nabc")
    assert b"Transfer-Encoding" not in answer


def test_a_chunked_request_is_put_together(talk):
    chunks = b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: 1\r\n\r\n"
    answer = talk(post(chunks, CHUNKED))

    assert b"\r\n3\r\nabc\r\n" in answer


def test_head_gets_no_body(talk):
    answer = talk(b"HEAD /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_",
    [
        post(b"", "Content-Length: x"),
        post(b"", "Content-Length: -1"),
        post(b"x\r\n", CHUNKED),
        post(b"-1\r\n", CHUNKED),
        b"nonsense\r\n\r\n",
    ],
)
def test_broken_framing_is_a_400(talk, request_):
    assert b" 400 " in talk(request_).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (TOO_MUCH, f"Content-Length: {len(TOO_MUCH)}"),
        (b"%x\r\n%b" % (len(TOO_MUCH), TOO_MUCH), CHUNKED),
    ],
    ids=["length", "chunks"],
)
def test_a_body_that_is_too_large_is_read_one_byte_beyond_the_limit(talk, body, line):
    def measure(request):
        return Response(413, {}, [str(len(request.body)).encode()])

    answer = talk(post(body, line), measure)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert str(len(TOO_MUCH)).encode() in answer


def test_an_exception_breaks_the_transfer_off_and_closes_the_response(talk):
    closed = []

    def pieces():
        yield b"abc"
        raise BrokenPipeError

    def ask(request):
        return Response(200, {}, pieces(), lambda: closed.append(1))

    answer = talk(post(), ask)

    assert answer.endswith(b"3\r\nabc\r\n")
    assert closed == [1]
