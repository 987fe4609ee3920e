"""The API as a whole: its backends and their failures, paths, methods, pages, and requests that are refused."""

import json
import re

import falcon.testing
import pytest
import requests
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
    TOKEN,
    app_client,
    ndjson,
    ollama_chat,
    ollama_line,
    open_body,
    openai_chat,
    stranger,
)
from octomil_conformance import spec
from openapi_spec_validator import validate

from octomil_ref.app import create_app

PAGES = ["/", "/openapi.json"]
LIVENESS = ["/health", "/api/v1/health"]
POSTED = [INFERENCE, STREAM, BATCH, EMBEDDINGS]

EMBED = {"model_id": "m", "input": ["a", "b"]}
BATCHED = {"model_id": "m", "inputs": [{"input_data": "a"}, {"input_data": "b"}]}


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


def asked(path: str = INFERENCE, **settings: object) -> list[requests.PreparedRequest]:
    """The requests to both backends, which fail."""
    responses.post(re.compile("test"), status=503)
    app_client(**settings).simulate_post(path, json=ASK | EMBED)
    return [call.request for call in responses.calls]


@pytest.mark.parametrize("path", [INFERENCE, STREAM, EMBEDDINGS])
def test_each_backend_has_its_own_names_for_models(path):
    names = {"ollama": {"m": "a"}, "openai": {"m": "b"}}

    found = asked(path, model_aliases=names)

    assert [json.loads(each.body)["model"] for each in found] == ["a", "b"]


def test_each_backend_gets_its_own_key_and_headers():
    found = asked(ollama_api_key="key-1", openai_api_headers={"x-more": "a"})

    headers = ("Authorization", "x-more")
    assert [[each.headers.get(name) for name in headers] for each in found] == [
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


def test_without_a_backend_the_error_is_retryable_and_the_log_says_what_to_set(capsys):
    client = app_client(ollama_base_url="", openai_api_endpoint="")

    answer = client.simulate_post(INFERENCE, json=ASK)

    assert answer.status_code == 503
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"] == "1"
    assert "WARNING no backend: set OLLAMA_BASE_URL" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", HEALTH, "/metrics"])
def test_a_good_response_is_only_a_detail_in_the_log_for(path, capsys):
    responses.get(re.compile("http://.*"), json={"models": [], "data": []})
    client = app_client(log_level="DEBUG", metrics=True)

    assert client.simulate_get(path).status_code == 200
    assert " DEBUG request " in capsys.readouterr().err


def test_with_anonymous_access_no_token_is_needed():
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    client = stranger(api_keys=(), allow_anonymous=True)

    assert client.simulate_post(INFERENCE, json=ASK).status_code == 200


@pytest.mark.parametrize(
    "path, methods",
    [
        *((path, "POST") for path in POSTED),
        *((path, "GET, HEAD") for path in [*LIVENESS, HEALTH, *PAGES]),
    ],
)
def test_options_lists_the_methods_and_needs_no_token(path, methods):
    answer = stranger(page=True).simulate_options(path)

    assert (answer.status_code, answer.headers["Allow"]) == (200, methods)


@pytest.mark.parametrize("path", [*LIVENESS, HEALTH, *PAGES])
def test_the_response_to_a_wrong_method_names_the_right_ones(path):
    answer = app_client(page=True).simulate_post(path)

    assert "GET, HEAD" in refusal_of(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("token, status", [(TOKEN, 400), ("", 401)])
def test_a_method_that_is_not_known_is_refused(token, status):
    environ = falcon.testing.create_environ(INFERENCE, headers={"X-API-Key": token})
    start = falcon.testing.StartResponseMock()

    body = app_client().app(environ | {"REQUEST_METHOD": "SING"}, start)

    assert refusal_of(falcon.testing.Result(body, start.status, start.headers), status)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_token_and_may_be_cached(path):
    answer = stranger(page=True).simulate_get(path)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "path", [*LIVENESS, HEALTH, INFERENCE, "/v1/models", "/metrics", "/none"]
)
def test_no_cache_may_store(path):
    answer = app_client(metrics=True).simulate_get(path)

    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "*"])
def test_a_page_is_sent_again_only_if_the_cached_one_is_different(path, given):
    client = app_client(page=True)
    tag = client.simulate_get(path).headers["ETag"]

    answer = client.simulate_get(path, headers={"If-None-Match": given.format(tag)})
    other = client.simulate_get(path, headers={"If-None-Match": '"other"'})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert other.status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_head_of_a_page_has_the_headers_of_get(path):
    client = app_client(page=True)
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


# The limits of the settings


@pytest.mark.parametrize(
    "path, body, limit, status",
    [
        (INFERENCE, ASK, {"max_body_bytes": 9}, 413),
        (BATCH, BATCHED, {"batch_max_inputs": 1}, 400),
        (EMBEDDINGS, EMBED, {"embeddings_max_inputs": 1}, 400),
    ],
    ids=["a body", "the inputs of a batch", "texts to embed"],
)
def test_too_large_is(path, body, limit, status):
    answer = app_client(**limit).simulate_post(path, json=body)

    assert refusal_of(answer, status)


@pytest.mark.parametrize("path", POSTED)
def test_a_request_over_the_limit_is_refused_as_retryable(path):
    responses.post(f"{OLLAMA}/api/chat", body=ndjson(ollama_line("Che")))
    client = app_client(threads=5)  # four of them are for other requests
    holding_the_only_slot = open_body(client, STREAM, ASK)

    answer = client.simulate_post(path, json=ASK | BATCHED | EMBED)
    holding_the_only_slot.close()

    assert answer.status_code == 503
    assert answer.json["error"] == "service_unavailable"
    assert answer.headers["Retry-After"] == "1"
