"""The API as a whole: its backends and their failures, paths, methods, pages, and requests that are refused."""

import json
import re

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
    ndjson,
    ollama_chat,
    ollama_line,
    open_body,
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


@pytest.mark.parametrize("path", [*LIVENESS, HEALTH, *PAGES])
def test_health_and_pages_accept_only_get_and_head(path):
    answer = app_client(page=True).simulate_post(path)

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
    answer = stranger(page=True).simulate_options(path)

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
    answer = stranger(page=True).simulate_get(path)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Request-Id"]


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
    client = app_client(ollama_base_url="")

    answer = client.simulate_post(INFERENCE, json=IGNORED)
    answers = client.simulate_post(BATCH, json=BATCHED | {"parameters": {"top_k": 5}})

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

FAILURES = {
    # what the upstream does: is the next backend asked, the status that the client gets
    "refuses the connection": (requests.ConnectTimeout(), True, 503),
    "does not answer in time": (requests.ReadTimeout(), True, 504),
    "answers 503": ((503, {}), True, 503),
    "answers 429": ((429, {}), True, 429),
    "answers 500": ((500, {}), True, 502),
    "answers 307": ((307, {}), True, 502),
    "does not have the model": ((404, {"error": "no such model"}), True, 404),
    "refuses our key": ((401, {}), True, 502),
    "finds the context too long": ((400, CONTEXT), False, 413),
    "fails, whatever it says": ((500, CONTEXT), True, 413),
    "finds the request too large": ((413, {}), False, 413),
    "does not support it": ((400, MODALITY), False, 422),
    "refuses the request": ((400, {"error": "no"}), False, 400),
    "names an option with status 500": ((500, OPTION), False, 400),
}


def ollama_does(does: object) -> None:
    url = f"{OLLAMA}/api/chat"
    if isinstance(does, Exception):
        responses.post(url, body=does)
    else:
        status, body = does
        responses.post(url, status=status, body=encoded(body))


@pytest.mark.parametrize("does, falls_back, status", FAILURES.values(), ids=FAILURES)
def test_the_next_backend_answers_or_the_client_gets_the_error_if_one(
    does, falls_back, status
):
    ollama_does(does)
    responses.post(CHAT, json=openai_chat())

    alone = app_client(openai_api_endpoint="").simulate_post(INFERENCE, json=ASK)
    of_two = app_client().simulate_post(INFERENCE, json=ASK)

    assert alone.status_code == alone.json["status_code"] == status
    assert (of_two.status_code == 200) is falls_back
    assert len(responses.calls) == (3 if falls_back else 2)


def test_a_busy_upstreams_retry_after_reaches_the_client():
    responses.post(CHAT, status=429, headers={"Retry-After": "17"})

    answer = app_client(ollama_base_url="").simulate_post(INFERENCE, json=ASK)

    assert answer.headers["Retry-After"] == "17"
