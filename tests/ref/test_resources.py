"""What each endpoint adds to its answer, and its line in the log. The suite has the shape of answers."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import ANY

import pytest
import responses
from builders import (
    ASK,
    BATCH,
    EMBEDDINGS,
    HEALTH,
    INFERENCE,
    OLLAMA,
    OPENAI,
    STREAM,
    WAIT,
    app_client,
    arriving,
    ndjson,
    ollama_chat,
    ollama_line,
    ollama_streams,
    open_body,
    openai_chat,
    stranger,
)

from octomil_ref import __version__
from octomil_ref.backends import Embeddings
from octomil_ref.resources import embeddings_body
from octomil_ref.streaming import TransferCut

CHAT = f"{OLLAMA}/api/chat"
EMBED = f"{OLLAMA}/api/embed"
ONE_INPUT = {"model_id": "m", "inputs": [{"input_data": "a"}]}
TEXT = {"model_id": "m", "input": "a"}


def logged(capsys) -> dict:
    """The only line of the request in the log."""
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    (line,) = [line for line in lines if line["event"] == "request"]
    return line


def test_an_inference_has_all_fields_and_the_model_id_of_the_request():
    ended = {"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4}
    responses.post(CHAT, json=ollama_chat(**ended))
    body = ASK | {"model_id": "phi-4-mini"}

    answer = app_client().simulate_post(INFERENCE, json=body)

    assert json.loads(responses.calls[0].request.body)["model"] == "phi4-mini"
    assert answer.json == {
        "output": "Cherry",
        "latency_ms": ANY,
        "provider": "ollama",
        "model_id": "phi-4-mini",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


def test_a_stream_answers_with_server_sent_events():
    ollama_streams("Cherry")

    answer = app_client().simulate_post(STREAM, json=ASK)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Connection" not in answer.headers


def test_the_upstream_is_closed_when_the_client_leaves_before_the_first_byte():
    upstream = arriving(ndjson(ollama_line("Che")), ndjson(ollama_chat("rry")))
    responses.post(CHAT, body=upstream)
    body = open_body(app_client(), STREAM, ASK)

    body.close()

    assert upstream.closed


def test_the_concurrency_of_a_batch_is_at_most_what_the_server_allows():
    together, running = threading.Barrier(2), threading.Semaphore(2)

    def answer(request):
        assert running.acquire(blocking=False)
        together.wait(WAIT)
        running.release()
        return 200, {}, json.dumps(ollama_chat())

    responses.add_callback(responses.POST, CHAT, answer)
    body = {"model_id": "m", "inputs": [{"input_data": "a"}] * 4}
    client = app_client(openai_api_endpoint="", batch_max_concurrency=2)

    answer = client.simulate_post(BATCH, json=body | {"max_concurrency": 99})

    assert answer.json["succeeded"] == 4


def test_a_large_batch_does_not_delay_another_one():
    asked, first_asked, gate = [], threading.Event(), threading.Event()

    def answer(request):
        asked.append(json.loads(request.body)["messages"][0]["content"])
        first_asked.set()
        assert gate.wait(WAIT)
        return 200, {}, json.dumps(ollama_chat())

    def batch(*texts):
        inputs = [{"input_data": text} for text in texts]
        body = {"model_id": "m", "inputs": inputs, "max_concurrency": 99}
        return open_body(client, BATCH, body)

    responses.add_callback(responses.POST, CHAT, answer)
    client = app_client(batch_max_concurrency=1)
    large = batch("large", "large", "large")
    assert first_asked.wait(WAIT)

    small = batch("small")
    gate.set()
    for body in (large, small):
        list(body)
        body.close()

    assert asked == ["large", "small", "large", "large"]


ASKING = [
    pytest.param(INFERENCE, ASK, id="an inference"),
    pytest.param(STREAM, ASK, id="a stream"),
    pytest.param(BATCH, ONE_INPUT, id="a batch"),
    pytest.param(EMBEDDINGS, TEXT, id="embeddings"),
]


@pytest.mark.parametrize("path, body", ASKING)
def test_each_attempt_carries_the_id_of_its_request(path, body):
    responses.post(re.compile("test"), status=500)

    app_client().simulate_post(path, json=body, headers={"X-Request-Id": "7"})

    sent = [call.request.headers["X-Request-Id"] for call in responses.calls]
    assert sent == ["7", "7"]


COUNTS = {"prompt_eval_count": 3, "eval_count": 4}
TWO_INPUTS = {"model_id": "m", "inputs": [{"input_data": "a"}, {"input_data": "b"}]}
LOGGED = {
    INFERENCE: (ASK, {"prompt_tokens": 3, "completion_tokens": 4}),
    STREAM: (
        ASK,
        {"prompt_tokens": 3, "completion_tokens": 4, "events": 1}
        | {"first_token_ms": ANY, "ended": "complete"},
    ),
    BATCH: (
        TWO_INPUTS,
        {"prompt_tokens": 6, "completion_tokens": 8, "failed": 0, "ended": "complete"},
    ),
    EMBEDDINGS: (TEXT, {"prompt_tokens": 3, "completion_tokens": 0}),
}


@pytest.mark.parametrize("path", LOGGED)
def test_the_log_line_of_a_request_has_its_known_fields(capsys, path):
    body, fields = LOGGED[path]
    responses.post(CHAT, body=ndjson(ollama_chat(**COUNTS)))
    responses.post(EMBED, json={"embeddings": [[1, 2]], "prompt_eval_count": 3})
    client = app_client(log_format="json")

    client.simulate_post(path, json=body, headers={"X-Request-Id": "7"})

    assert logged(capsys) == {
        "time": ANY,
        "level": "INFO",
        "event": "request",
        "request_id": "7",
        "method": "POST",
        "path": path,
        "status": 200,
        "duration_ms": ANY,
        "key": "key-1",
        "model": "m",
        "provider": "ollama",
        **fields,
    }


def test_the_log_line_of_a_batch_names_all_that_answered(capsys):
    responses.post(CHAT, status=500)
    responses.post(CHAT, json=ollama_chat())
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    client = app_client(log_format="json")

    client.simulate_post(BATCH, json={**TWO_INPUTS, "max_concurrency": 1})

    line = logged(capsys)
    assert (line["provider"], line["fallback"]) == ("ollama,openai", True)


@pytest.mark.parametrize("status, word", [(200, "degraded"), (503, "unavailable")])
def test_health_is(status, word):
    responses.get(f"{OLLAMA}/api/version", status=status, json={})

    answer = stranger().simulate_get(HEALTH)

    assert (answer.status_code, answer.json["status"]) == (status, word)


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_liveness_is_ok_whatever_the_backends_do(path):
    client = stranger()

    answer, head = client.simulate_get(path), client.simulate_head(path)

    assert answer.status_code == head.status_code == 200
    assert answer.json == {"status": "ok", "version": __version__}
    assert head.content == b""
    assert len(responses.calls) == 0


def test_the_name_of_a_model_cannot_break_the_json_of_embeddings():
    name = '"},{%b\n\u2028'

    body = embeddings_body(Embeddings([[1e-7, 3]], "ollama", 0), name)

    assert json.loads(body)["model"] == name
    assert json.loads(body)["embeddings"] == [[1e-7, 3]]
    assert body.isascii()


# The limit on requests that wait for a model: when a slot is free again


@pytest.mark.parametrize("path, body", ASKING)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_slot_is_free_again_after(status, path, body):
    responses.post(CHAT, status=status, body=ndjson(ollama_chat()))
    responses.post(EMBED, status=status, json={"embeddings": [[1]]})
    client = app_client(max_inflight=1, openai_api_endpoint="")
    first = client.simulate_post(path, json=body)

    second = client.simulate_post(path, json=body)

    assert first.status_code == second.status_code != 503


def take_one(body) -> None:
    next(iter(body))


def take_until_it_is_cut(body) -> None:
    with pytest.raises(TransferCut):
        list(body)


@pytest.mark.parametrize("take", [take_one, take_until_it_is_cut])
def test_a_slot_is_free_again_after_a_stream_that_did_not_end(take):
    responses.post(CHAT, body=ndjson(ollama_line("Che"), {"error": "it died"}))
    responses.post(CHAT, body=ndjson(ollama_chat("rry")))
    client = app_client(max_inflight=1)
    body = open_body(client, STREAM, ASK)
    take(body)

    body.close()

    assert client.simulate_post(STREAM, json=ASK).status_code == 200


def test_a_batch_holds_its_slot_until_its_answer_ends():
    gate = threading.Event()

    def answer(request):
        assert gate.wait(WAIT)
        return 200, {}, json.dumps(ollama_chat())

    responses.add_callback(responses.POST, CHAT, answer)
    client = app_client(max_inflight=1)

    with ThreadPoolExecutor(1) as caller:
        body = open_body(client, BATCH, ONE_INPUT)
        refused = caller.submit(client.simulate_post, BATCH, json=ONE_INPUT)
        refused = refused.result(WAIT)
        gate.set()
        whole = json.loads(b"".join(body))
        body.close()

    assert refused.status_code == 503
    assert whole["succeeded"] == 1
    assert client.simulate_post(BATCH, json=ONE_INPUT).status_code == 200
