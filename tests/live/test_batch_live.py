"""Batches over real sockets: real concurrency, responses piece by piece, clients that leave."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from octomil_conformance.backend import new_nonce, tagged
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import refuses, says
from reference import PATIENCE, Reference, http_request, new_id


def batch(
    nonce: str, count: int, model: str = "conf-gated", **more: object
) -> dict[str, Any]:
    """Inputs `text 0`, `text 1` and so on. The backend holds their answers until a test opens the gate of NONCE or NONCE.N."""
    texts = [tagged(f"{nonce}.{number}", f"text {number}") for number in range(count)]
    return {"model_id": model, "inputs": [{"input_data": t} for t in texts], **more}


@pytest.mark.parametrize(("asked", "at_once"), [(3, 3), (None, 4), (10_000, 32)])
def test_as_many_inputs_run_at_once_as_the_request_and_the_settings_allow(
    server: Reference, asked: int | None, at_once: int
) -> None:
    nonce = new_nonce()
    body = batch(nonce, at_once + 8, max_concurrency=asked)

    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.ask, "/inference/batch", body)
        assert server.backend.wait_for_active(nonce, at_once, PATIENCE)
        server.backend.open(nonce)

    results = answer.result().json()["results"]
    assert server.backend.high_water(nonce) == at_once
    assert [result["output"] for result in results] == [
        f"text {number}" for number in range(at_once + 8)
    ]


def test_each_input_falls_back_by_itself(server: Reference) -> None:
    def busy_for_the_second(response: Response) -> None:
        prompt = response.request.json["messages"][-1]["content"]
        (refuses(503, "busy") if "text 1" in prompt else says(prompt))(response)

    server.ollama.on("/api/chat", busy_for_the_second)

    answer = server.ask("/inference/batch", batch(new_nonce(), 3, "conf-echo"))

    providers = [result["provider"] for result in answer.json()["results"]]
    assert providers == ["ollama", "openai", "ollama"]


@pytest.mark.parametrize(
    "ready", ["text 0", "\n"], ids=["a result", "white space while nothing is ready"]
)
def test_a_batch_is_written_piece_by_piece(server: Reference, ready: str) -> None:
    nonce = new_nonce()
    if ready == "text 0":
        server.backend.open(f"{nonce}.0")
    received = ""

    with server.client.stream(
        "POST", "/inference/batch", json=batch(nonce, 2)
    ) as answer:
        for piece in answer.iter_text():
            received += piece
            if ready in received:
                server.backend.open(nonce)

    [second] = server.backend.calls(f"{nonce}.1")
    assert second.outcome == "answered", "the gate was opened by what had arrived"
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(received)["succeeded"] == 2


def test_inputs_of_a_client_that_left_are_not_started(server: Reference) -> None:
    nonce, request_id = new_nonce(), new_id()
    body = json.dumps(batch(nonce, 5, max_concurrency=2)).encode()

    with server.connect() as connection:
        connection.sendall(
            http_request("/inference/batch", body, x_request_id=request_id)
        )
        assert server.backend.wait_for_active(nonce, 2, PATIENCE)
    server.log_of(request_id)
    server.backend.open(nonce)
    afterwards = server.ask("/inference/batch", batch(new_nonce(), 2, "conf-echo"))

    assert afterwards.json()["succeeded"] == 2
    assert len(server.backend.calls(nonce)) == 2


def test_a_batch_of_256_inputs_is_answered_whole(server: Reference) -> None:
    body = batch(new_nonce(), 256, "conf-echo", max_concurrency=16)

    answer = server.ask("/inference/batch", body).json()

    outputs = [result["output"] for result in answer["results"]]
    assert outputs == [f"text {number}" for number in range(256)]
