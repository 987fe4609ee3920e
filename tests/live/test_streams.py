"""Streams over real sockets, under waitress and gunicorn: prompt, complete, and never silently cut."""

import json
import socket
import struct
import threading
from contextlib import ExitStack

import httpx
import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from reference import (
    ASK,
    PATIENCE,
    PROMPT,
    Reference,
    http_request,
    new_id,
    receive_all,
)

BODY = json.dumps(ASK).encode()

BREAKS = stream(NDJSON, OLLAMA.token("Good"), OLLAMA.error_frame("runner died"))


def test_nothing_is_sent_before_the_first_token(server: Reference) -> None:
    accepted, gate = threading.Event(), threading.Event()

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        accepted.set()
        response.wait(gate)
        response.chunk(OLLAMA.token("Good") + OLLAMA.ending("stop", 1))
        response.end_chunks()

    server.ollama.on("/api/chat", script)

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, connection="close"))
        assert accepted.wait(PATIENCE)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        gate.set()
        answer = receive_all(connection)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"0\r\n\r\n")


def test_the_headers_of_a_stream_keep_proxies_and_clients_reading(
    server: Reference,
) -> None:
    """With `Connection: close` fetch would take a cut response for a whole one."""
    with server.stream() as events:
        events.rest()

    headers = events.response.headers
    assert events.response.status_code == 200
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers
    assert headers.get("connection", "keep-alive") == "keep-alive"


def test_a_connection_serves_the_next_request_after_a_stream(
    server: Reference,
) -> None:
    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY))
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)
        connection.sendall(http_request("/inference", BODY, connection="close"))
        second = receive_all(connection)

    assert second.startswith(b"HTTP/1.1 200 ")


def test_a_client_of_http_1_0_gets_the_stream_until_the_connection_ends(
    server: Reference,
) -> None:
    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, version="1.0"))
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")

    assert b" 200 " in head.splitlines()[0]
    assert b"transfer-encoding" not in head.lower()
    events = [json.loads(event[6:]) for event in body.split(b"\n\n")[:-1]]
    assert [event["token"] for event in events] == ["Good", " morning", ""]
    assert events[-1]["done"] is True


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_broken_stream_has_an_error_event_and_no_end(
    server: Reference, version: str
) -> None:
    server.ollama.on("/api/chat", BREAKS)

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, version=version))
        answer = receive_all(connection)

    assert b'"token":"Good"' in answer
    assert b'"error":{"code":"stream_interrupted"' in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert b'"done":true' not in answer


def test_a_failure_before_the_first_token_is_an_ordinary_error(
    server: Reference,
) -> None:
    answer = server.ask("/inference/stream", {**ASK, "model_id": "conf-500"})

    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == "inference_failed"


def test_long_thinking_is_sent_as_comments(server: Reference) -> None:
    gate = threading.Event()

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        while not gate.wait(0.05):
            response.chunk(OLLAMA.thought("Hmm"))
        response.chunk(OLLAMA.token("Good") + OLLAMA.ending("stop", 1))
        response.end_chunks()

    server.ollama.on("/api/chat", script)

    with server.stream() as events:
        comment = events.next_comment()
        gate.set()
        events.rest()

    assert "Hmm" not in comment
    assert [event["token"] for event in events.seen] == ["Good", ""]


# A client that leaves


BATCH = {"model_id": "conf-echo", "inputs": [{"input_data": PROMPT}] * 3}
CHAT = {"model": "conf-echo", "messages": ASK["messages"]}

WAITING = {
    "/api/v1/inference": ASK,
    "/api/v1/inference/stream": ASK,
    "/api/v1/inference/batch": BATCH | {"max_concurrency": 1},
    "/api/v1/embeddings": {"model_id": "conf-embed", "input": PROMPT},
    "/v1/chat/completions": CHAT,
    "/v1/embeddings": {"model": "conf-embed", "input": PROMPT},
}
"""A request to each endpoint that waits for a model."""


def test_an_upstream_loses_a_client_that_left_before_its_answer(
    server: Reference,
) -> None:
    losses = threading.Semaphore(0)

    def script(response: Response) -> None:
        if response.wait_for_hangup(PATIENCE):
            losses.release()

    server.ollama.on("*", script)
    with ExitStack() as connections:
        for path, body in WAITING.items():
            connection = connections.enter_context(server.connect())
            request = http_request("", json.dumps(body).encode(), x_request_id=path)
            connection.sendall(request.replace(b"/api/v1 ", b"%b " % path.encode(), 1))
        server.ollama.wait_for_requests(len(WAITING))

    assert all(losses.acquire(timeout=PATIENCE) for _ in WAITING)
    for path in WAITING:
        [line] = server.lines_of(path)
        status = 200 if path.endswith("batch") else 499
        assert (line["status"], line["ended"]) == (status, "client_left")
    assert len(server.ollama.requests) == len(WAITING)
    assert server.openai.requests == []


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
def test_an_upstream_loses_a_client_that_left_between_two_tokens(
    server: Reference, reset: bool
) -> None:
    over = threading.Event()

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        if response.wait_for_hangup(PATIENCE):
            over.set()

    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.connect() as connection:
        connection.sendall(
            http_request("/inference/stream", BODY, x_request_id=request_id)
        )
        assert connection.recv(1)
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    assert over.wait(PATIENCE)
    assert server.log_of(request_id)["ended"] == "client_left"


# The log line


@pytest.mark.parametrize(
    ("script", "ended", "tokens"),
    [(says("Good", " morning"), "complete", 2), (BREAKS, "interrupted", 1)],
    ids=["complete", "interrupted"],
)
def test_a_stream_is_logged_when_it_has_ended(
    server: Reference, script: object, ended: str, tokens: int
) -> None:
    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.stream(**{"X-Request-Id": request_id}) as events:
        try:
            events.rest()
        except httpx.RemoteProtocolError:
            assert ended == "interrupted"
    line = server.log_of(request_id)

    assert (line["ended"], line["events"]) == (ended, tokens)
    assert 0 < line["first_token_ms"] <= line["duration_ms"]
    assert (line["method"], line["path"]) == ("POST", "/api/v1/inference/stream")
    assert (line["status"], line["provider"]) == (200, "ollama")
    assert line["model"] == ASK["model_id"]
