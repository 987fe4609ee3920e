"""What clients get when an upstream fails, and when it ignores a parameter."""

import json

import pytest
import requests
import responses
from builders import (
    ASK,
    BATCH,
    INFERENCE,
    OLLAMA,
    OPENAI,
    STREAM,
    app_client,
    encoded,
    openai_chat,
    openai_chunk,
    sse,
)

IGNORED = ASK | {"parameters": {"top_k": 5, "seed": 7}}


def openai_without_top_k(whole: object) -> None:
    def callback(request):
        refused = "top_k" in json.loads(request.body)
        error = {"error": "property 'top_k' is unsupported"}
        return (400, {}, json.dumps(error)) if refused else (200, {}, whole)

    responses.add_callback("POST", f"{OPENAI}/chat/completions", callback)


def test_an_answer_names_the_parameters_that_the_upstream_ignored():
    openai_without_top_k(json.dumps(openai_chat()))
    batch = {"model_id": "m", "inputs": [{"input_data": "Hi"}]} | {
        "parameters": {"top_k": 5}
    }
    client = app_client(ollama_base_url="")

    answer = client.simulate_post(INFERENCE, json=IGNORED)
    answers = client.simulate_post(BATCH, json=batch)

    assert answer.json["ignored_parameters"] == ["top_k"]
    assert answers.json["results"][0]["ignored_parameters"] == ["top_k"]


def test_the_final_event_and_the_log_name_the_parameters_that_were_ignored(capsys):
    openai_without_top_k(sse(openai_chunk("stop", content="A"), "[DONE]"))

    client = app_client(ollama_base_url="")
    body = client.simulate_post(STREAM, json=IGNORED).text

    first, final = [json.loads(event[6:]) for event in body.split("\n\n")[:-1]]
    assert "ignored_parameters" not in first
    assert final["ignored_parameters"] == ["top_k"]
    assert "ignored=top_k" in capsys.readouterr().err


# What an upstream's failure means for the client, and whether the next backend is asked

CHAT = f"{OPENAI}/chat/completions"
OPTION = {"error": 'option "seed" must be of type integer'}
CONTEXT = {"error": {"message": "no", "type": "exceed_context_size_error"}}
MODALITY = {"error": "this model does not support images"}

UNAVAILABLE = (503, "service_unavailable", "server_error", True)
TIMEOUT = (504, "gateway_timeout", "request_timeout", True)
LIMITED = (429, "rate_limited", "rate_limited", True)
BROKEN = (502, "bad_gateway", "inference_failed", True)
NO_MODEL = (404, "not_found", "model_not_found", False)
OUR_KEY = (502, "bad_gateway", "cloud_provider_auth_failed", False)
TOO_LONG = (413, "payload_too_large", "context_too_large", False)
CANNOT = (422, "validation_error", "unsupported_modality", False)
REFUSED = (400, "bad_request", "invalid_input", False)

FAILURES = {
    # what the upstream does: is the next backend asked, what the client gets
    "refuses the connection": (requests.ConnectTimeout(), True, UNAVAILABLE),
    "has a bad certificate": (requests.exceptions.SSLError(), True, UNAVAILABLE),
    "does not answer in time": (requests.ReadTimeout(), True, TIMEOUT),
    "hangs up": (requests.ConnectionError("cut"), True, BROKEN),
    "answers 408": ((408, {}), True, TIMEOUT),
    "answers 503": ((503, {}), True, UNAVAILABLE),
    "answers 429": ((429, {}), True, LIMITED),
    "answers 500": ((500, {}), True, BROKEN),
    "answers 307": ((307, {}), True, BROKEN),
    "sends garbage": ((200, "<html>"), True, BROKEN),
    "sends half of its answer": ((200, '{"message": {"con'), True, BROKEN),
    "sends an empty answer": ((200, ""), True, BROKEN),
    "sends an empty object": ((200, {}), True, BROKEN),
    "sends an error with status 200": ((200, {"error": "no"}), True, BROKEN),
    "does not have the model": ((404, {"error": "no such model"}), True, NO_MODEL),
    "refuses our key": ((401, {}), True, OUR_KEY),
    "finds the context too long": ((400, CONTEXT), False, TOO_LONG),
    "fails, whatever it says": ((500, CONTEXT), True, TOO_LONG),
    "does not support it": ((400, MODALITY), False, CANNOT),
    "refuses the request": ((400, {"error": "no"}), False, REFUSED),
    "names an option with status 500": ((500, OPTION), False, REFUSED),
}


def ollama_does(does: object) -> None:
    url = f"{OLLAMA}/api/chat"
    if isinstance(does, Exception):
        responses.post(url, body=does)
    else:
        status, body = does
        responses.post(url, status=status, body=encoded(body))


@pytest.mark.parametrize("does, falls_back, seen", FAILURES.values(), ids=FAILURES)
def test_the_next_backend_or_the_client_gets_to_know_that_one(does, falls_back, seen):
    ollama_does(does)
    responses.post(CHAT, json=openai_chat())

    alone = app_client(openai_api_endpoint="").simulate_post(INFERENCE, json=ASK)
    of_two = app_client().simulate_post(INFERENCE, json=ASK)

    error = alone.json
    status, *words = seen
    assert alone.status_code == error["status_code"] == status
    assert [error["error"], error["code"], error["retryable"]] == words
    assert alone.headers["Content-Type"] == "application/json"
    assert (of_two.status_code == 200) is falls_back
    assert len(responses.calls) == (3 if falls_back else 2)


def test_a_busy_upstreams_retry_after_reaches_the_client():
    responses.post(CHAT, status=429, headers={"Retry-After": "17"})

    answer = app_client(ollama_base_url="").simulate_post(INFERENCE, json=ASK)

    assert answer.headers["Retry-After"] == "17"
