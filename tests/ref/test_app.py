"""The API as a whole: its backends and their failures, paths, methods, pages, and requests that are refused."""

import json

import falcon.testing
import pytest
import requests
import responses
from builders import (
    ASK,
    AUTHORIZED,
    BATCH,
    EMBEDDINGS,
    HEALTH,
    INFERENCE,
    OLLAMA,
    OPENAI,
    STREAM,
    app_client,
    encoded,
    ollama_chat,
    openai_chat,
    openai_chunk,
    sse,
    stranger,
)
from octomil_conformance import spec
from openapi_spec_validator import validate

from octomil_ref.app import create_app

PAGES = ["/", "/openapi.json"]
LIVENESS = ["/health", "/api/v1/health"]
POSTED = [INFERENCE, STREAM, BATCH, EMBEDDINGS]

EMBED = {"model_id": "m", "input": "a"}
BATCHED = {"model_id": "m", "inputs": [{"input_data": "a"}]}


def refusal_of(answer, status: int = 400) -> str:
    """The message of an error response, whose envelope is checked."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["status_code"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["retryable"] is False
    return answer.json["message"]


def test_without_settings_the_app_reads_the_environment(monkeypatch):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t1,t2")
    client = falcon.testing.TestClient(create_app())

    answers = [
        client.simulate_post(INFERENCE, headers={"X-API-Key": token}).status_code
        for token in ("t1", "t2", "t3")
    ]

    assert answers == [415, 415, 401]


def sent_to_both(**settings: object) -> list[requests.PreparedRequest]:
    """What Ollama, which fails, and then the OpenAI backend get."""
    responses.post(f"{OLLAMA}/api/chat", status=503)
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    app_client(**settings).simulate_post(INFERENCE, json=ASK)
    return [call.request for call in responses.calls]


def test_each_backend_has_its_own_names_for_models():
    names = {"ollama": {"m": "a"}, "openai": {"m": "b"}}

    asked = sent_to_both(model_aliases=names)

    assert [json.loads(each.body)["model"] for each in asked] == ["a", "b"]


def test_each_backend_gets_its_own_key_and_headers():
    asked = sent_to_both(ollama_api_key="key-1", openai_api_headers={"x-more": "a"})

    headers = ("Authorization", "x-more")
    assert [[each.headers.get(name) for name in headers] for each in asked] == [
        ["Bearer key-1", None],
        ["Bearer upstream-key", "a"],
    ]


def test_a_backend_that_is_down_is_asked_last_during_its_cooldown():
    responses.post(f"{OLLAMA}/api/chat", body=requests.ConnectTimeout())
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    client = app_client(backend_cooldown=1000)
    client.simulate_post(INFERENCE, json=ASK)

    client.simulate_post(INFERENCE, json=ASK)

    asked = [call.request.url.split("/")[2] for call in responses.calls]
    assert asked == ["ollama.test:11434", "openai.test", "openai.test"]


def test_without_a_backend_the_error_is_retryable():
    client = app_client(ollama_base_url="", openai_api_endpoint="")

    answer = client.simulate_post(INFERENCE, json=ASK)

    assert answer.status_code == 503
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"] == "1"


def test_a_new_app_logs_what_looks_like_a_mistake(capsys):
    app_client(ollama_base_url="", openai_api_endpoint="")

    assert "WARNING no backend: set OLLAMA_BASE_URL" in capsys.readouterr().err


def test_with_anonymous_access_no_token_is_needed():
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    client = stranger(api_keys=(), allow_anonymous=True)

    assert client.simulate_post(INFERENCE, json=ASK).status_code == 200


@pytest.mark.parametrize("path", ["/x", "/api", "/api/v1", "/api/v1/inference/x", "/é"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_an_unknown_path_is_not_found(path, method):
    answer = app_client().simulate_request(method, path)

    assert answer.status_code == 404
    assert method == "HEAD" or refusal_of(answer, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [*LIVENESS, HEALTH, *PAGES])
def test_health_and_pages_accept_only_get_and_head(method, path):
    answer = app_client().simulate_request(method, path)

    assert "GET" in refusal_of(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path, methods",
    [
        *((path, "POST") for path in POSTED),
        *((path, "GET, HEAD") for path in [*LIVENESS, HEALTH, *PAGES]),
    ],
)
def test_options_lists_the_methods_and_needs_no_token(path, methods):
    answer = stranger().simulate_options(path)

    assert (answer.status_code, answer.headers["Allow"]) == (200, methods)


@pytest.mark.parametrize(
    "path, methods", [(INFERENCE, "POST, OPTIONS"), (HEALTH, "GET, HEAD, OPTIONS")]
)
def test_an_unknown_method_is_a_wrong_one(path, methods):
    environ = falcon.testing.create_environ(path, headers=AUTHORIZED)
    start = falcon.testing.StartResponseMock()

    body = app_client().app(environ | {"REQUEST_METHOD": "SING"}, start)

    answer = falcon.testing.Result(body, start.status, start.headers)
    assert refusal_of(answer, 405)
    assert answer.headers["Allow"] == methods


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_token_and_may_be_cached(path):
    answer = stranger().simulate_get(path)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "*"])
def test_a_page_is_sent_again_only_if_the_cached_one_is_different(path, given):
    client = app_client()
    tag = client.simulate_get(path).headers["ETag"]

    answer = client.simulate_get(path, headers={"If-None-Match": given.format(tag)})
    other = client.simulate_get(path, headers={"If-None-Match": '"other"'})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert other.status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_head_of_a_page_has_the_headers_of_get(path):
    client = app_client()
    whole = client.simulate_get(path)

    answer = client.simulate_head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(whole.content))
    assert answer.headers["ETag"] == whole.headers["ETag"]


def test_the_openapi_document_is_the_one_of_the_spec():
    answer = app_client(sdk_endpoints=False).simulate_get("/openapi.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == spec.openapi()


def test_the_openapi_document_has_what_sdks_call_under_a_heading_of_its_own():
    document = app_client().simulate_get("/openapi.json").json

    validate(document)
    [heading] = [tag["name"] for tag in document.pop("tags")]
    own = spec.openapi()["paths"]
    added = {path: item for path, item in document["paths"].items() if path not in own}
    assert {**document, "paths": own} == spec.openapi()
    assert [path for path in document["paths"] if path in own] == list(own)
    for path, item in added.items():
        [operation] = [part for name, part in item.items() if name != "servers"]
        assert item["servers"] == [{"url": "/"}], path
        assert operation["tags"] == [heading]


def test_the_page_can_be_switched_off():
    client = app_client(page=False)

    assert refusal_of(client.simulate_get("/"), 404)
    assert client.simulate_get("/openapi.json").status_code == 200


# Bad input. test_body has the rules for bodies, and test_payloads those for fields


@pytest.mark.parametrize(
    "path, body, field",
    [
        (INFERENCE, ASK | {"parameters": {"seed": "x"}}, "parameters.seed"),
        (STREAM, ASK | {"messages": [{"content": "x"}]}, "messages[0].role"),
        (BATCH, BATCHED | {"inputs": [{"input_data": "x"}] * 257}, "inputs"),
        (EMBEDDINGS, EMBED | {"input": ["a"] * 513}, "input"),
    ],
)
def test_an_error_names_the_field_that_is_wrong(path, body, field):
    answer = app_client().simulate_post(path, json=body)

    assert f"'{field}'" in refusal_of(answer)


# What clients get when an upstream ignores a parameter, and when it fails

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
    "finds the request too large": ((413, {}), False, TOO_LONG),
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
def test_the_next_backend_answers_or_the_client_gets_the_error_if_one(
    does, falls_back, seen
):
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
