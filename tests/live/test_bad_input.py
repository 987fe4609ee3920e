"""Bad input over real sockets gets a clear 4xx, never a 500, a hang or no response, and the server goes on.

tests/ref has every bad value for the parser. Here is one of each kind, on the wire.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from reference import (
    ASK,
    AUTHORIZED,
    PATIENCE,
    Reference,
    http_request,
    receive_all,
)

JSON = {**AUTHORIZED, "Content-Type": "application/json"}
WRONG_TOKEN = {**JSON, "Authorization": "Bearer wrong"}
MIB = 1024 * 1024

POSTED = ["/inference", "/inference/stream", "/inference/batch", "/embeddings"]
ENVELOPE = {"error", "message", "status_code", "code", "retryable", "request_id"}

BODY = json.dumps(ASK).encode()


@pytest.fixture
def connection(server: Reference) -> Iterator[http.client.HTTPConnection]:
    """A connection that has to survive whatever is sent over it."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with closing(client):
        yield client


def send(
    connection: http.client.HTTPConnection,
    path: str,
    body: object = None,
    headers: dict[str, str] = JSON,
    method: str = "POST",
) -> dict[str, Any]:
    """Sends `body` (an iterator: in chunks) and returns the envelope. The connection has to answer the next request too."""
    chunked = hasattr(body, "__next__")
    connection.request(method, f"/api/v1{path}", body, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    envelope: dict[str, Any] = json.load(answer)
    assert envelope["status_code"] == answer.status
    assert envelope["request_id"] == answer.headers["X-Request-Id"]
    assert set(envelope) == ENVELOPE
    assert_still_usable(connection)
    return envelope


def assert_still_usable(connection: http.client.HTTPConnection) -> None:
    used = connection.sock
    assert used is not None, "the server ended the connection"
    connection.request("GET", "/api/v1/health")
    answer = connection.getresponse()
    assert json.load(answer)["status"] == "ok"
    assert connection.sock is used


# Bodies

BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the body is empty"),
    "not JSON": (b"model_id=m", "not valid JSON"),
    "half of it": (b'{"model_id": "m", "mess', "not valid JSON"),
    "an array": (b"[]", "must be a JSON object"),
    "NaN": (b'{"model_id": "m", "seed": NaN}', "NaN"),
    "100,000 nested arrays": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "a number of 5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
    "a lone surrogate": (b'{"model_id": "\\ud800"}', "surrogate"),
    "bytes that are not UTF-8": (b'{"model_id": "\xff"}', "not UTF-8 at byte 14"),
    "duplicate keys": (b'{"model_id": "m", "model_id": "n"}', "same key twice"),
}

HI = [{"role": "user", "content": "Hi"}]
BATCH = {"model_id": "m", "inputs": [{"input_data": "Hi"}]}

BAD_FIELDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no model_id": ("/inference", {"messages": HI}, "'model_id'"),
    "no prompt": ("/inference/stream", {"model_id": "m"}, "'messages'"),
    "two prompts": ("/inference", {**ASK, "input_data": "Hi"}, "'messages'"),
    "an unknown role": (
        "/inference/stream",
        {**ASK, "messages": [*HI, {"role": "robot", "content": "Hi"}]},
        "'messages[1].role'",
    ),
    "a warm temperature": (
        "/inference",
        {**ASK, "parameters": {"temperature": 2.1}},
        "'parameters.temperature'",
    ),
    "a parameter that changes the request": (
        "/inference",
        {**ASK, "parameters": {"stream": True}},
        "'parameters.stream'",
    ),
    "no inputs": ("/inference/batch", {"model_id": "m", "inputs": []}, "'inputs'"),
    "300 inputs": (
        "/inference/batch",
        {**BATCH, "inputs": BATCH["inputs"] * 300},
        "'inputs'",
    ),
    "a bad input": (
        "/inference/batch",
        {**BATCH, "inputs": [*BATCH["inputs"], {"messages": [{}]}]},
        "'inputs[1].messages[0].role'",
    ),
    "no concurrency": (
        "/inference/batch",
        {**BATCH, "max_concurrency": 0},
        "'max_concurrency'",
    ),
    "nothing to embed": ("/embeddings", {"model_id": "m"}, "'input'"),
    "an empty text": ("/embeddings", {"model_id": "m", "input": ["", "a"]}, "'input[0]'"),
    "600 texts": ("/embeddings", {"model_id": "m", "input": ["a"] * 600}, "'input'"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "complaint"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_json_object_is_refused(
    connection: http.client.HTTPConnection, body: bytes, complaint: str
) -> None:
    for path in POSTED:
        envelope = send(connection, path, body)

        assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
        assert complaint in envelope["message"]


@pytest.mark.parametrize(("path", "body", "field"), BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_the_message_names_the_field_that_is_wrong(
    server: Reference,
    connection: http.client.HTTPConnection,
    path: str,
    body: object,
    field: str,
) -> None:
    envelope = send(connection, path, json.dumps(body))

    assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
    assert field in envelope["message"]
    assert server.ollama.requests == server.openai.requests == []


def test_an_image_is_not_supported(connection: http.client.HTTPConnection) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    body = {**ASK, "messages": [{"role": "user", "content": [image]}]}

    envelope = send(connection, "/inference", json.dumps(body))

    assert (envelope["status_code"], envelope["code"]) == (422, "unsupported_modality")
    assert "'messages[0].content[0].type'" in envelope["message"]


# Types, methods, paths


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=x", None])  # fmt: skip
def test_a_body_of_another_type_or_of_none_is_refused(
    connection: http.client.HTTPConnection, content_type: str | None
) -> None:
    headers = {**AUTHORIZED} | ({"Content-Type": content_type} if content_type else {})

    for path in POSTED:
        assert send(connection, path, BODY, headers)["status_code"] == 415


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        *(("PUT", path, 405, "POST") for path in POSTED),
        ("GET", "/inference", 405, "POST"),
        ("POST", "/health", 405, "GET"),
        ("POST", "/inference/health", 405, "GET"),
        ("POST", "", 404, ""),
        ("POST", "/inference/stream/x", 404, ""),
        ("POST", "/../inference", 404, ""),
        ("POST", "/%00", 404, ""),
    ],
)
def test_a_wrong_method_or_path_is_refused(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    status: int,
    words: str,
) -> None:
    envelope = send(connection, path, BODY, method=method)

    assert envelope["status_code"] == status
    assert words in envelope["message"]


@pytest.mark.parametrize("path", [*POSTED, "/health", "/inference/health"])
def test_head_and_options_are_answered_without_a_body(
    connection: http.client.HTTPConnection, path: str
) -> None:
    health = "health" in path
    for method, statuses in (
        ("HEAD", [200] if health else [405]),
        ("OPTIONS", [200, 204]),
    ):
        connection.request(method, f"/api/v1{path}", headers=JSON)
        answer = connection.getresponse()

        assert answer.status in statuses
        assert answer.read() == b""
        if method == "OPTIONS" or not health:
            assert ("GET" if health else "POST") in answer.headers["Allow"]
        assert_still_usable(connection)


def test_a_slash_at_the_end_of_a_path_changes_nothing(
    connection: http.client.HTTPConnection,
) -> None:
    assert "'model_id'" in send(connection, "/inference/", b"{}")["message"]


# Bodies that are too large, or come in chunks


def in_chunks(body: bytes, size: int = 65536) -> Iterator[bytes]:
    return iter([body[start : start + size] for start in range(0, len(body), size)])


SIZES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "20 MiB": (b" " * (20 * MIB), JSON, 413, "context_too_large"),
    "20 MiB and a wrong token": (
        b" " * (20 * MIB),
        WRONG_TOKEN,
        401,
        "authentication_failed",
    ),
    "a byte more than allowed": (
        BODY.ljust(8 * MIB + 1),
        JSON,
        413,
        "context_too_large",
    ),
    "as much as allowed": (b"{}".ljust(8 * MIB), JSON, 400, "invalid_input"),
}


@pytest.mark.parametrize("framing", [bytes, in_chunks], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("body", "headers", "status", "code"), SIZES.values(), ids=SIZES
)
def test_the_answer_to_a_large_body_arrives(
    connection: http.client.HTTPConnection, framing, body, headers, status, code
) -> None:
    envelope = send(connection, "/inference", framing(body), headers)

    assert (envelope["status_code"], envelope["code"]) == (status, code)


def test_small_chunks_are_put_together(
    connection: http.client.HTTPConnection,
) -> None:
    for path in POSTED:
        envelope = send(connection, path, in_chunks(b'{"model_id": "   "}', size=3))
        assert "'model_id' must be a string that is not blank" in envelope["message"]

    assert "empty" in send(connection, "/inference", iter([]))["message"]


# Requests that no well-meaning client sends

MALFORMED: dict[str, bytes] = {
    "a NUL in a header": http_request("/inference", x_a="a\x00b"),
    "a control character in the token": http_request(
        "/inference", BODY, authorization="Bearer a\x01b"
    ),
    "a length that is no number": http_request("/inference", content_length="x"),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a space in the path": http_request("/inference x"),
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED)
def test_malformed_http_is_refused(server: Reference, request_bytes: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(request_bytes)
        version, status = connection.makefile("rb").readline().split()[:2]

    assert version in (b"HTTP/1.1", b"HTTP/1.0")
    assert 400 <= int(status) < 500


def test_a_strange_request_id_is_replaced_by_a_plain_one(server: Reference) -> None:
    for request_id in ("a\tb", "a\xffb", "x" * 5_000, "a;b,c"):
        asked = http_request(
            "/health", method="GET", x_request_id=request_id, connection="close"
        )
        with server.connect() as connection:
            connection.sendall(asked)
            head = receive_all(connection).partition(b"\r\n\r\n")[0].decode("latin-1")

        assert " 200 " in head.splitlines()[0]
        [line] = [x for x in head.splitlines() if x.lower().startswith("x-request-id:")]
        given = line.partition(": ")[2]
        assert given.isascii() and given.isprintable() and 1 <= len(given) <= 128


def test_a_body_that_ends_too_early_does_no_harm(server: Reference) -> None:
    with server.connect() as connection:
        connection.sendall(http_request("/inference", BODY, content_length="1000"))
        connection.shutdown(socket.SHUT_WR)
        answer = receive_all(connection)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert server.ollama.requests == []


def test_a_client_that_waits_for_100_continue_gets_it(server: Reference) -> None:
    with server.connect() as connection:
        connection.sendall(
            http_request("/embeddings", expect="100-continue", content_length="2")
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400 ")
