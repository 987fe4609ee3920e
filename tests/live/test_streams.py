"""Answers that arrive piece by piece, and clients that leave before or within one, under waitress and gunicorn."""

import json
import socket
import struct
import threading
from contextlib import ExitStack

import pytest
from octomil_conformance.backend import new_nonce
from octomil_conformance.backend.scripts import NDJSON, OLLAMA
from reference import ASK, MAX_WAIT, PROMPT, http_request

BODY = json.dumps(ASK).encode()


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


def test_an_upstream_loses_a_client_that_left_before_its_answer(server):
    losses = threading.Semaphore(0)

    def script(response):
        if response.wait_for_hangup(MAX_WAIT):
            losses.release()

    server.ollama.on("*", script)
    with ExitStack() as connections:
        for path, body in WAITING.items():
            connection = connections.enter_context(server.connect())
            request = http_request("", json.dumps(body).encode(), x_request_id=path)
            connection.sendall(request.replace(b"/api/v1 ", b"%b " % path.encode(), 1))
        server.ollama.wait_for_requests(len(WAITING))

    assert all(losses.acquire(timeout=MAX_WAIT) for _ in WAITING)
    for path in WAITING:
        [line] = server.lines_of(path)
        status = 200 if path.endswith("batch") else 499
        assert (line["status"], line["ended"]) == (status, "client_left")
    assert len(server.ollama.requests) == len(WAITING)
    assert server.openai.requests == []


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
def test_an_upstream_loses_a_client_that_left_between_two_tokens(server, reset):
    over = threading.Event()

    def script(response):
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        if response.wait_for_hangup(MAX_WAIT):
            over.set()

    server.ollama.on("/api/chat", script)
    request_id = new_nonce()

    with server.connect() as connection:
        connection.sendall(
            http_request("/inference/stream", BODY, x_request_id=request_id)
        )
        assert connection.recv(1)
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    assert over.wait(MAX_WAIT)
    assert server.lines_of(request_id)[-1]["ended"] == "client_left"
