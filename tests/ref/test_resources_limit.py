"""The limit on requests that wait for a model: who is refused, and when a place is free again."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import responses
from builders import (
    ASK,
    BATCH,
    EMBEDDINGS,
    INFERENCE,
    OLLAMA,
    STREAM,
    WAIT,
    app_client,
    ndjson,
    ollama_chat,
    ollama_line,
    open_body,
)

from octomil_ref.streaming import TransferCut

CHAT = f"{OLLAMA}/api/chat"
EMBED = f"{OLLAMA}/api/embed"
ASKING = [
    pytest.param(INFERENCE, ASK, id="an inference"),
    pytest.param(STREAM, ASK, id="a stream"),
    pytest.param(
        BATCH, {"model_id": "m", "inputs": [{"input_data": "a"}]}, id="a batch"
    ),
    pytest.param(EMBEDDINGS, {"model_id": "m", "input": "a"}, id="embeddings"),
]


@pytest.mark.parametrize("path, body", ASKING)
@responses.activate
def test_a_request_over_the_limit_is_refused_as_retryable(path, body):
    responses.post(CHAT, body=ndjson(ollama_line("Che"), ollama_chat("rry")))
    client = app_client(max_inflight=1)
    holding_the_only_slot = open_body(client, STREAM, ASK)

    answer = client.simulate_post(path, json=body)
    holding_the_only_slot.close()

    assert answer.status_code == 503
    assert answer.json["error"] == "service_unavailable"
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path, body", ASKING)
@pytest.mark.parametrize("status", [200, 400, 500])
@responses.activate
def test_a_slot_is_free_again_after(status, path, body):
    responses.post(CHAT, status=status, body=ndjson(ollama_chat()))
    responses.post(EMBED, status=status, json={"embeddings": [[1]]})
    client = app_client(max_inflight=1, openai_api_endpoint="")
    first = client.simulate_post(path, json=body)

    second = client.simulate_post(path, json=body)

    assert first.status_code == second.status_code != 503


@responses.activate
def test_a_slot_is_free_again_after_the_client_left_its_stream():
    responses.post(CHAT, body=ndjson(ollama_line("Che"), ollama_chat("rry")))
    client = app_client(max_inflight=1)
    body = open_body(client, STREAM, ASK)
    next(iter(body))

    body.close()

    assert client.simulate_post(STREAM, json=ASK).status_code == 200


@responses.activate
def test_a_slot_is_free_again_after_a_stream_was_cut():
    responses.post(CHAT, body=ndjson(ollama_line("Che"), {"error": "it died"}))
    responses.post(CHAT, body=ndjson(ollama_chat("rry")))
    client = app_client(max_inflight=1)
    body = open_body(client, STREAM, ASK)
    with pytest.raises(TransferCut):
        list(body)

    body.close()

    assert client.simulate_post(STREAM, json=ASK).status_code == 200


@responses.activate
def test_a_batch_holds_its_slot_until_its_answer_ends():
    gate = threading.Event()

    def answer(request):
        assert gate.wait(WAIT)
        return 200, {}, json.dumps(ollama_chat())

    responses.add_callback(responses.POST, CHAT, answer)
    client = app_client(max_inflight=1)
    batch = {"model_id": "m", "inputs": [{"input_data": "a"}]}

    with ThreadPoolExecutor(1) as caller:
        body = open_body(client, BATCH, batch)
        refused = caller.submit(client.simulate_post, BATCH, json=batch).result(WAIT)
        gate.set()
        whole = json.loads(b"".join(body))
        body.close()

    assert refused.status_code == 503
    assert whole["succeeded"] == 1
    assert client.simulate_post(BATCH, json=batch).status_code == 200
