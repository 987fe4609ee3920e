"""Upstreams over real connections: thoughts, a timeout that closes the connection, and one connection for all requests."""

import threading

import httpx
import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, stall
from processes import serve
from reference import ASK, PATIENCE, Reference, Shared, reference


@pytest.fixture(scope="module")
def shared_server(shared: Shared) -> Reference:
    """One kind of server is enough: both read their upstreams in the same way."""
    return shared()


def test_after_long_thinking_no_other_backend_is_asked(server: Reference) -> None:
    gate = threading.Event()

    def think(response: Response) -> None:
        response.start_chunked(NDJSON)
        while not gate.wait(0.05):
            response.chunk(OLLAMA.thought("Hmm"))
        response.close()

    server.ollama.on("/api/chat", think)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        comment = events.next_comment()
        gate.set()
        events.rest()

    assert "Hmm" not in comment
    assert events.seen[-1]["error"]["code"] == "stream_interrupted"
    assert server.openai.requests == []


def test_the_server_hangs_up_on_an_upstream_that_does_not_answer() -> None:
    over = threading.Event()
    with reference(serve, LLM_BACKEND_TIMEOUT="1") as server:
        server.ollama.on("/api/chat", lambda response: (stall(response), over.set()))

        assert server.ask().json()["provider"] == "openai"
        assert over.wait(PATIENCE), "the connection is closed, so the model can stop"


def test_requests_of_every_kind_share_one_connection(server: Reference) -> None:
    model = {"model_id": "conf-echo"}
    server.ask()
    server.ask("/inference/stream")
    server.ask("/embeddings", {**model, "input": "a"})
    server.ask("/inference/batch", {**model, "inputs": [{"input_data": "Hi"}]})
    server.ask("/inference", {**ASK, "model_id": "conf-http-400"})
    server.ask()

    asked = server.ollama.requests
    connections = [(each.connection_id, each.nth_on_connection) for each in asked]
    assert connections == [(1, nth) for nth in range(1, 7)]
