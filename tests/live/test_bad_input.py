"""Bad input that only a real socket shows: bodies over the limit, bodies that break off. The server goes on.

The conformance suite has bad bodies, methods and paths on the wire, and tests/ref has every bad value for the parsers.
"""

import http.client
import json
import socket
from contextlib import closing

import pytest
from reference import ASK, AUTHORIZED, MAX_WAIT, http_request, receive_all

JSON = {**AUTHORIZED, "Content-Type": "application/json"}
WRONG_TOKEN = {**JSON, "Authorization": "Bearer wrong"}
MIB = 1024 * 1024

BODY = json.dumps(ASK).encode()
LARGE = b" " * (20 * MIB)


@pytest.fixture
def connection(server):
    """A connection that has to survive whatever is sent over it."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=MAX_WAIT)
    with closing(client):
        yield client


def send(connection, body, headers):
    """Sends `body` (an iterator: in chunks) and returns the envelope. The connection has to answer the next request too."""
    chunked = hasattr(body, "__next__")
    connection.request(
        "POST", "/api/v1/inference", body, headers, encode_chunked=chunked
    )
    used = connection.sock
    answer = connection.getresponse()
    envelope = json.load(answer)
    assert envelope["status_code"] == answer.status
    connection.request("GET", "/api/v1/health")
    assert json.load(connection.getresponse())["status"] == "ok"
    assert connection.sock is used, "the server ended the connection"
    return envelope


# Bodies that are too large, or come in chunks


def in_chunks(body):
    return iter([body[start : start + 65536] for start in range(0, len(body), 65536)])


SIZES = {
    "20 MiB": (LARGE, JSON, 413, "context_too_large"),
    "20 MiB and a wrong token": (LARGE, WRONG_TOKEN, 401, "authentication_failed"),
    "a byte too many": (BODY.ljust(8 * MIB + 1), JSON, 413, "context_too_large"),
    "as much as allowed": (b"{}".ljust(8 * MIB), JSON, 400, "invalid_input"),
}


@pytest.mark.parametrize("framing", [bytes, in_chunks], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("body", "headers", "status", "code"), SIZES.values(), ids=SIZES
)
def test_the_answer_to_a_large_body_arrives(
    connection, framing, body, headers, status, code
):
    envelope = send(connection, framing(body), headers)

    assert (envelope["status_code"], envelope["code"]) == (status, code)


def test_a_body_that_ends_too_early_does_no_harm(server):
    with server.connect() as connection:
        connection.sendall(http_request("/inference", BODY, content_length="1000"))
        connection.shutdown(socket.SHUT_WR)
        answer = receive_all(connection)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert server.ollama.requests == []
