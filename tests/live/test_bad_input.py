"""Bad input over real sockets: a clear 4xx that names the fault, and the server goes on. Never a 500, a hang, or nothing."""

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
MIB = 1024 * 1024

COMPLETIONS = ["/inference", "/inference/stream"]
POSTED = [*COMPLETIONS, "/inference/batch", "/embeddings"]


@pytest.fixture
def connection(server: Reference) -> Iterator[http.client.HTTPConnection]:
    """One connection, which has to survive whatever was sent over it."""
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
    """Sends `body` (an iterator: in chunks) and returns the envelope of the refusal."""
    connection.request(
        method,
        f"/api/v1{path}",
        body,
        headers,
        encode_chunked=hasattr(body, "__next__"),
    )
    answer = connection.getresponse()
    envelope: dict[str, Any] = json.load(answer)
    assert envelope["status_code"] == answer.status
    assert envelope["request_id"] == answer.headers["X-Request-Id"]
    assert set(envelope) == {
        "error",
        "message",
        "status_code",
        "code",
        "retryable",
        "request_id",
    }
    return envelope


def assert_still_usable(connection: http.client.HTTPConnection) -> None:
    """The very same connection answers the next request."""
    used = connection.sock
    assert used is not None, "the server ended the connection"
    connection.request("GET", "/api/v1/health")
    answer = connection.getresponse()
    assert json.load(answer)["status"] == "ok"
    assert connection.sock is used


# What is no JSON object at all

NO_OBJECT: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "the body is empty"),
    "blank": (b" \n", "not valid JSON"),
    "not JSON": (b"model_id=m", "not valid JSON"),
    "half of it": (b'{"model_id": "m", "mess', "not valid JSON"),
    "two values": (b"{} {}", "not valid JSON"),
    "an array": (b"[]", "must be a JSON object"),
    "a string": (b'"model_id"', "must be a JSON object"),
    "a number": (b"42", "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "NaN": (b'{"model_id": "m", "seed": NaN}', "NaN"),
    "Infinity": (b'{"model_id": "m", "seed": -Infinity}', "-Infinity"),
    "a number beyond a double": (b'{"model_id": "m", "seed": 1e999}', "out of range"),
    "a number of 5,000 digits": (
        b'{"model_id": "m", "seed": ' + b"9" * 5000 + b"}",
        "not valid JSON",
    ),
    "100,000 nested arrays": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "100,000 nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
    "a lone surrogate": (b'{"model_id": "\\ud800"}', "surrogate"),
    "bytes that are not UTF-8": (b'{"model_id": "\xff"}', "not UTF-8 at byte 14"),
    "UTF-16": ('{"model_id": "m"}'.encode("utf-16"), "not UTF-8"),
    "a byte order mark": (b'\xef\xbb\xbf{"model_id": "m"}', "not valid JSON"),
    "duplicate keys": (b'{"model_id": "m", "model_id": "n"}', "same key twice"),
}


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(("body", "complaint"), NO_OBJECT.values(), ids=NO_OBJECT)
def test_a_body_that_is_no_json_object_is_refused(
    connection: http.client.HTTPConnection, path: str, body: bytes, complaint: str
) -> None:
    envelope = send(connection, path, body)

    assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
    assert complaint in envelope["message"]
    assert_still_usable(connection)


# Fields that are wrong

HI = {"role": "user", "content": "Hi"}

COMPLETION_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no model_id": ({"messages": [HI]}, "'model_id'"),
    "null model_id": ({**ASK, "model_id": None}, "'model_id'"),
    "blank model_id": ({**ASK, "model_id": " "}, "'model_id'"),
    "a number for a model_id": ({**ASK, "model_id": 5}, "'model_id'"),
    "an absurd model_id": ({**ASK, "model_id": "m" * 10_000}, "'model_id'"),
    "neither input": ({"model_id": "m"}, "'messages'"),
    "both inputs": ({**ASK, "input_data": "Hi"}, "'messages'"),
    "null input": ({"model_id": "m", "input_data": None}, "'input_data'"),
    "empty input_data": ({"model_id": "m", "input_data": ""}, "'input_data'"),
    "no messages": ({**ASK, "messages": []}, "'messages'"),
    "messages that are no array": ({**ASK, "messages": "Hi"}, "'messages'"),
    "a message that is no object": ({**ASK, "messages": ["Hi"]}, "'messages[0]'"),
    "an unknown role": (
        {**ASK, "messages": [HI, {"role": "robot", "content": "Hi"}]},
        "'messages[1].role'",
    ),
    "a role that is no string": (
        {**ASK, "messages": [{"role": ["user"], "content": "Hi"}]},
        "'messages[0].role'",
    ),
    "null content": (
        {**ASK, "messages": [{"role": "user", "content": None}]},
        "'messages[0].content'",
    ),
    "no content": ({**ASK, "messages": [{"role": "user"}]}, "'messages[0].content'"),
    "a part without text": (
        {**ASK, "messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "'messages[0].content[0].text'",
    ),
    "parameters that are no object": ({**ASK, "parameters": [1]}, "'parameters'"),
    "a warm temperature": (
        {**ASK, "parameters": {"temperature": 2.1}},
        "'parameters.temperature'",
    ),
    "a boolean temperature": (
        {**ASK, "parameters": {"temperature": True}},
        "'parameters.temperature'",
    ),
    "text for max_tokens": (
        {**ASK, "parameters": {"max_tokens": "16"}},
        "'parameters.max_tokens'",
    ),
    "no tokens at all": (
        {**ASK, "parameters": {"max_tokens": 0}},
        "'parameters.max_tokens'",
    ),
    "nine stops": ({**ASK, "parameters": {"stop": ["."] * 9}}, "'parameters.stop'"),
    "a parameter that changes the request": (
        {**ASK, "parameters": {"stream": True}},
        "'parameters.stream'",
    ),
}


@pytest.mark.parametrize("path", COMPLETIONS)
@pytest.mark.parametrize(
    ("body", "field"), COMPLETION_FAULTS.values(), ids=COMPLETION_FAULTS
)
def test_a_wrong_field_of_a_completion_is_named(
    connection: http.client.HTTPConnection, path: str, body: object, field: str
) -> None:
    envelope = send(connection, path, json.dumps(body))

    assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
    assert field in envelope["message"]
    assert_still_usable(connection)


def batch(*inputs: object, **more: object) -> dict[str, Any]:
    return {"model_id": "m", "inputs": [{"input_data": "Hi"}, *inputs], **more}


BATCH_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no inputs": ({"model_id": "m"}, "'inputs'"),
    "empty inputs": ({"model_id": "m", "inputs": []}, "'inputs'"),
    "inputs that are no array": ({"model_id": "m", "inputs": {}}, "'inputs'"),
    "300 inputs": (batch(*[{"input_data": "Hi"}] * 299), "'inputs'"),
    "an input that is no object": (batch("Hi"), "'inputs[1]'"),
    "an empty input": (batch({}), "'inputs[1].messages'"),
    "a wrong message": (batch({"messages": [{}]}), "'inputs[1].messages[0].role'"),
    "a wrong parameter": (
        batch({"input_data": "Hi", "parameters": {"top_k": 0}}),
        "'inputs[1].parameters.top_k'",
    ),
    "negative max_concurrency": (batch(max_concurrency=-1), "'max_concurrency'"),
    "zero max_concurrency": (batch(max_concurrency=0), "'max_concurrency'"),
    "half a max_concurrency": (batch(max_concurrency=1.5), "'max_concurrency'"),
    "boolean max_concurrency": (batch(max_concurrency=True), "'max_concurrency'"),
}


@pytest.mark.parametrize(("body", "field"), BATCH_FAULTS.values(), ids=BATCH_FAULTS)
def test_a_wrong_field_of_a_batch_is_named_and_nothing_is_run(
    server: Reference,
    connection: http.client.HTTPConnection,
    body: object,
    field: str,
) -> None:
    envelope = send(connection, "/inference/batch", json.dumps(body))

    assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
    assert field in envelope["message"]
    assert server.ollama.requests == server.openai.requests == []
    assert_still_usable(connection)


EMBEDDINGS_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no input": ({"model_id": "m"}, "'input'"),
    "null input": ({"model_id": "m", "input": None}, "'input'"),
    "empty input": ({"model_id": "m", "input": ""}, "'input'"),
    "no inputs": ({"model_id": "m", "input": []}, "'input'"),
    "one empty input": ({"model_id": "m", "input": ["a", ""]}, "'input[1]'"),
    "tokens for text": ({"model_id": "m", "input": [1, 2]}, "'input[0]'"),
    "an object": ({"model_id": "m", "input": {"text": "a"}}, "'input'"),
    "600 inputs": ({"model_id": "m", "input": ["a"] * 600}, "'input'"),
}


@pytest.mark.parametrize(
    ("body", "field"), EMBEDDINGS_FAULTS.values(), ids=EMBEDDINGS_FAULTS
)
def test_a_wrong_field_of_an_embeddings_request_is_named(
    connection: http.client.HTTPConnection, body: object, field: str
) -> None:
    envelope = send(connection, "/embeddings", json.dumps(body))

    assert (envelope["status_code"], envelope["code"]) == (400, "invalid_input")
    assert field in envelope["message"]
    assert_still_usable(connection)


def test_an_image_is_well_formed_but_not_supported(
    connection: http.client.HTTPConnection,
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    body = {**ASK, "messages": [{"role": "user", "content": [image]}]}

    envelope = send(connection, "/inference", json.dumps(body))

    assert envelope["status_code"] == 422
    assert envelope["code"] == "unsupported_modality"
    assert "'messages[0].content[0].type'" in envelope["message"]
    assert_still_usable(connection)


# Content types, methods, paths


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"],
)
def test_a_body_of_another_type_is_refused(
    connection: http.client.HTTPConnection, path: str, content_type: str
) -> None:
    headers = {**AUTHORIZED, "Content-Type": content_type}

    envelope = send(connection, path, json.dumps(ASK), headers)

    assert envelope["status_code"] == 415
    assert_still_usable(connection)


def test_a_body_of_no_type_is_refused(connection: http.client.HTTPConnection) -> None:
    envelope = send(connection, "/inference", json.dumps(ASK), AUTHORIZED)

    assert envelope["status_code"] == 415
    assert_still_usable(connection)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", POSTED)
def test_a_wrong_method_is_told_the_right_one(
    connection: http.client.HTTPConnection, path: str, method: str
) -> None:
    envelope = send(connection, path, json.dumps(ASK), method=method)

    assert envelope["status_code"] == 405
    assert "POST" in envelope["message"]
    assert_still_usable(connection)


@pytest.mark.parametrize("path", ["/health", "/inference/health"])
def test_health_cannot_be_posted_to(
    connection: http.client.HTTPConnection, path: str
) -> None:
    envelope = send(connection, path, json.dumps(ASK))

    assert envelope["status_code"] == 405
    assert_still_usable(connection)


@pytest.mark.parametrize("path", POSTED)
def test_head_of_a_posting_path_is_a_405_without_a_body(
    connection: http.client.HTTPConnection, path: str
) -> None:
    connection.request("HEAD", f"/api/v1{path}", headers=JSON)
    answer = connection.getresponse()

    assert answer.status == 405
    assert answer.headers["Allow"]
    assert answer.read() == b""
    assert_still_usable(connection)


@pytest.mark.parametrize("path", ["/health", "/inference/health"])
def test_head_of_health_is_its_head(
    server: Reference, connection: http.client.HTTPConnection, path: str
) -> None:
    server.ollama.stop_listening()
    server.openai.stop_listening()

    connection.request("HEAD", f"/api/v1{path}")
    answer = connection.getresponse()

    assert answer.status in (200, 503)
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.read() == b""
    assert_still_usable(connection)


@pytest.mark.parametrize("path", [*POSTED, "/health", "/inference/health"])
def test_options_tells_what_is_allowed(
    connection: http.client.HTTPConnection, path: str
) -> None:
    connection.request("OPTIONS", f"/api/v1{path}")
    answer = connection.getresponse()
    answer.read()

    assert answer.status in (200, 204)
    assert ("GET" if "health" in path else "POST") in answer.headers["Allow"]
    assert_still_usable(connection)


@pytest.mark.parametrize(
    "path", ["", "/", "/inferences", "/inference/stream/x", "/../inference", "/%00"]
)
def test_an_unknown_path_is_a_404(
    connection: http.client.HTTPConnection, path: str
) -> None:
    envelope = send(connection, path, json.dumps(ASK))

    assert envelope["status_code"] == 404
    assert_still_usable(connection)


@pytest.mark.parametrize("path", POSTED)
def test_a_trailing_slash_is_accepted(
    connection: http.client.HTTPConnection, path: str
) -> None:
    envelope = send(connection, f"{path}/", b"{}")

    assert envelope["status_code"] == 400
    assert "'model_id'" in envelope["message"]
    assert_still_usable(connection)


# Bodies that are too large, or come in chunks


def chunks_of(body: bytes, size: int = 65536) -> Iterator[bytes]:
    return iter([body[start : start + size] for start in range(0, len(body), size)])


WRONG_TOKEN = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_20_mib_is_refused_and_the_refusal_arrives(
    connection: http.client.HTTPConnection, path: str, chunked: bool
) -> None:
    body = b" " * (20 * MIB)

    envelope = send(connection, path, chunks_of(body) if chunked else body)

    assert envelope["status_code"] == 413
    assert envelope["code"] == "context_too_large"
    assert_still_usable(connection)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_body_with_a_wrong_token_is_told_so(
    connection: http.client.HTTPConnection, chunked: bool
) -> None:
    body = b" " * (20 * MIB)

    envelope = send(
        connection, "/inference", chunks_of(body) if chunked else body, WRONG_TOKEN
    )

    assert envelope["status_code"] == 401
    assert_still_usable(connection)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_just_over_the_limit_is_refused(
    connection: http.client.HTTPConnection, chunked: bool
) -> None:
    body = json.dumps(ASK).encode().ljust(8 * MIB + 1)

    envelope = send(connection, "/inference", chunks_of(body) if chunked else body)

    assert envelope["status_code"] == 413
    assert_still_usable(connection)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_just_within_the_limit_is_read(
    connection: http.client.HTTPConnection, chunked: bool
) -> None:
    body = b'{"messages": []}'.ljust(8 * MIB)

    envelope = send(connection, "/inference", chunks_of(body) if chunked else body)

    assert envelope["status_code"] == 400
    assert "'model_id'" in envelope["message"]
    assert_still_usable(connection)


@pytest.mark.parametrize("path", POSTED)
def test_a_body_in_chunks_is_read_like_any_other(
    connection: http.client.HTTPConnection, path: str
) -> None:
    body = b'{"model_id": "   "}'

    envelope = send(connection, path, chunks_of(body, size=3))

    assert envelope["status_code"] == 400
    assert "'model_id' must be a string that is not blank" in envelope["message"]
    assert_still_usable(connection)


def test_an_empty_body_in_chunks_is_told_so(
    connection: http.client.HTTPConnection,
) -> None:
    envelope = send(connection, "/inference", iter([]))

    assert envelope["status_code"] == 400
    assert "empty" in envelope["message"]


# What no well-meaning client sends: a 4xx all the same, be it the WSGI server's own

BODY = json.dumps(ASK).encode()

MALFORMED: dict[str, bytes] = {
    "a control character in a header": http_request("/inference", x_a="a\x01b"),
    "a NUL in a header": http_request("/inference", x_a="a\x00b"),
    "a line feed in a header": http_request("/inference", x_a="a\n b: c"),
    "a control character in the token": http_request(
        "/inference", BODY, authorization="Bearer a\x01b"
    ),
    "a length that is no number": http_request("/inference", content_length="x"),
    "a negative length": http_request("/inference", content_length="-1"),
    "two lengths": http_request("/inference", BODY, content_length="5, 6"),
    "length and chunks": http_request(
        "/inference", b"0\r\n\r\n", transfer_encoding="chunked"
    ),
    "a chunk without size": http_request(
        "/inference", b"xyz\r\n\r\n", transfer_encoding="chunked", content_length=""
    ).replace(b"content-length: \r\n", b""),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a method in small letters": http_request("/inference", method="post"),
    "a space in the path": http_request("/inference x"),
    "a name that is no token": http_request("/inference").replace(b"host", b"ho st"),
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED)
def test_malformed_http_is_refused(server: Reference, request_bytes: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(request_bytes)
        version, status = connection.makefile("rb").readline().split()[:2]

    assert version in (b"HTTP/1.1", b"HTTP/1.0")
    assert 400 <= int(status) < 500


@pytest.mark.parametrize(
    "request_id",
    ["", "a b", "a\tb", "a\xffb", "x" * 5_000, '"', "a;b,c"],
    ids=["empty", "space", "tab", "not ASCII", "long", "quote", "list"],
)
def test_any_request_id_gets_an_answer_with_one_that_is_plain(
    server: Reference, request_id: str
) -> None:
    with server.connect() as connection:
        connection.sendall(
            http_request(
                "/health", method="GET", x_request_id=request_id, connection="close"
            )
        )
        head = receive_all(connection).partition(b"\r\n\r\n")[0].decode("latin-1")

    assert " 200 " in head.splitlines()[0]
    (line,) = [x for x in head.splitlines() if x.lower().startswith("x-request-id:")]
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
