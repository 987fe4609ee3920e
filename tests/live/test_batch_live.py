"""The response to a batch over a real socket arrives piece by piece."""

import json
from typing import Any

import pytest
from octomil_conformance.backend import new_nonce, tagged
from reference import Reference


def batch(nonce: str) -> dict[str, Any]:
    """Inputs `text 0` and `text 1`. The backend holds their answers until a test opens the gate of NONCE or NONCE.N."""
    texts = [tagged(f"{nonce}.{number}", f"text {number}") for number in range(2)]
    return {"model_id": "conf-gated", "inputs": [{"input_data": t} for t in texts]}


@pytest.mark.parametrize(
    "ready", ["text 0", "\n"], ids=["a result", "white space while nothing is ready"]
)
def test_a_batch_is_written_piece_by_piece(server: Reference, ready: str) -> None:
    nonce = new_nonce()
    if ready == "text 0":
        server.backend.open(f"{nonce}.0")
    received = ""

    with server.client.stream("POST", "/inference/batch", json=batch(nonce)) as answer:
        for piece in answer.iter_text():
            received += piece
            if ready in received:
                server.backend.open(nonce)

    [second] = server.backend.calls(f"{nonce}.1")
    assert second.outcome == "answered", "the gate was opened by what had arrived"
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(received)["succeeded"] == 2
