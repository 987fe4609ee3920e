"""The API as a whole: its paths, who may call, what bad input and bad upstreams come to."""

import json

import falcon.testing
import pytest
import requests
import responses
from builders import (
    ASK,
    AUTHORIZED,
    OLLAMA,
    OPENAI,
    TOKEN,
    app_client,
    ndjson,
    ollama_chat,
    openai_chat,
)
from octomil_conformance import spec

from octomil_ref.app import create_app, create_backends
from octomil_ref.settings import Settings, SettingsError

INFERENCE = "/api/v1/inference"
STREAM = "/api/v1/inference/stream"
BATCH = "/api/v1/inference/batch"
EMBEDDINGS = "/api/v1/embeddings"
HEALTH = "/api/v1/inference/health"
PAGES = ["/", "/openapi.json"]
LIVENESS = ["/health", "/api/v1/health"]
POSTED = [INFERENCE, STREAM, BATCH, EMBEDDINGS]

EMBED = {"model_id": "m", "input": "a"}
BATCHED = {"model_id": "m", "inputs": [{"input_data": "a"}]}


def unchecked(client, path: str, **environ: str) -> falcon.testing.Result:
    """What the app answers to a broken request, which Falcon's client would not send."""
    whole = falcon.testing.create_environ(
        path,
        method="POST",
        body=json.dumps(ASK),
        headers=AUTHORIZED | {"Content-Type": "application/json"},
    )
    start = falcon.testing.StartResponseMock()
    body = client.app(whole | environ, start)
    return falcon.testing.Result(body, start.status, start.headers)


def refusal_of(answer, status: int = 400) -> str:
    """The message of an answer that is a refusal in every respect."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["status_code"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["retryable"] is False
    return answer.json["message"]


# Set up


def test_without_a_rule_who_may_call_nothing_starts():
    with pytest.raises(SettingsError, match="OCTOMIL_API_KEYS"):
        create_app(Settings())


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t1,t2")
    client = falcon.testing.TestClient(create_app())

    answers = [
        client.simulate_post(INFERENCE, headers={"X-API-Key": token}).status_code
        for token in ("t1", "t2", "t3")
    ]

    assert answers == [415, 415, 401]


@pytest.mark.parametrize(
    "ollama, openai, providers",
    [
        pytest.param(OLLAMA, OPENAI, ["ollama", "openai"], id="both, Ollama first"),
        pytest.param(OLLAMA, "", ["ollama"], id="Ollama alone"),
        pytest.param("", OPENAI, ["openai"], id="OpenAI alone"),
        pytest.param("", "", [], id="none"),
    ],
)
def test_the_backends_are_those_that_are_configured(ollama, openai, providers):
    settings = Settings(ollama_base_url=ollama, openai_api_endpoint=openai)

    backends = create_backends(settings)

    assert [backend.provider for backend in backends] == providers


@responses.activate
def test_each_backend_has_its_own_names_of_models():
    responses.post(f"{OLLAMA}/api/chat", status=503)
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    names = {"ollama": {"m": "a"}, "openai": {"m": "b"}}

    app_client(model_aliases=names).simulate_post(INFERENCE, json=ASK)

    asked = [json.loads(call.request.body)["model"] for call in responses.calls]
    assert asked == ["a", "b"]


@responses.activate
def test_the_upstreams_key_goes_to_the_openai_backend_only():
    responses.post(f"{OLLAMA}/api/chat", status=503)
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())

    app_client().simulate_post(INFERENCE, json=ASK)

    keys = [call.request.headers.get("Authorization") for call in responses.calls]
    assert keys == [None, "Bearer upstream-key"]


@responses.activate
def test_a_backend_that_is_down_is_passed_over_for_the_cooldown():
    responses.post(f"{OLLAMA}/api/chat", body=requests.ConnectTimeout())
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    client = app_client(backend_cooldown=1000)
    client.simulate_post(INFERENCE, json=ASK)

    client.simulate_post(INFERENCE, json=ASK)

    asked = [call.request.url.split("/")[2] for call in responses.calls]
    assert asked == ["ollama.test:11434", "openai.test", "openai.test"]


@responses.activate
def test_without_any_backend_a_request_is_told_to_come_again():
    client = app_client(ollama_base_url="", openai_api_endpoint="")

    answer = client.simulate_post(INFERENCE, json=ASK)

    assert answer.status_code == 503
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"] == "1"


# Who may call


@pytest.mark.parametrize("path", POSTED)
def test_without_a_token_nobody_is_asked_anything(path):
    client = falcon.testing.TestClient(app_client().app)

    answer = client.simulate_post(path, json=ASK)

    assert "token" in refusal_of(answer, 401)
    assert answer.json["code"] == "authentication_failed"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {TOKEN}"}, id="as a bearer"),
        pytest.param({"X-API-Key": TOKEN}, id="as an API key"),
    ],
)
@responses.activate
def test_a_token_opens_the_door(headers):
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    client = falcon.testing.TestClient(app_client().app)

    answer = client.simulate_post(INFERENCE, json=ASK, headers=headers)

    assert answer.status_code == 200


@responses.activate
def test_everybody_may_call_where_that_is_allowed():
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    app = app_client(api_keys=(), allow_anonymous=True).app

    answer = falcon.testing.TestClient(app).simulate_post(INFERENCE, json=ASK)

    assert answer.status_code == 200


@pytest.mark.parametrize("path", [*LIVENESS, HEALTH])
@responses.activate
def test_health_needs_no_token(path):
    responses.get(f"{OLLAMA}/api/version", json={"version": "1"})
    client = falcon.testing.TestClient(app_client().app)

    answer = client.simulate_get(path)

    assert answer.status_code == 200


# Paths and methods


@pytest.mark.parametrize("path", ["/x", "/api", "/api/v1", "/api/v1/inference/x", "/é"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_there_is_nothing_at_an_unknown_path(path, method):
    answer = app_client().simulate_request(method, path)

    assert answer.status_code == 404
    assert method == "HEAD" or refusal_of(answer, 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", POSTED)
def test_what_is_posted_takes_nothing_but_post(method, path):
    answer = app_client().simulate_request(method, path)

    assert "POST" in refusal_of(answer, 405)
    assert answer.headers["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", [*LIVENESS, HEALTH, *PAGES])
def test_health_and_pages_are_only_read(method, path):
    answer = app_client().simulate_request(method, path)

    assert "GET" in refusal_of(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", POSTED)
def test_head_of_what_is_posted_is_a_wrong_method(path):
    answer = app_client().simulate_head(path)

    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize(
    "path, methods",
    [
        *((path, "POST") for path in POSTED),
        *((path, "GET, HEAD") for path in [*LIVENESS, HEALTH, *PAGES]),
    ],
)
def test_options_tells_the_methods_without_a_token(path, methods):
    client = falcon.testing.TestClient(app_client().app)

    answer = client.simulate_options(path)

    assert (answer.status_code, answer.headers["Allow"]) == (200, methods)


def test_a_method_that_nobody_knows_is_refused():
    answer = unchecked(app_client(), INFERENCE, REQUEST_METHOD="SING")

    assert answer.status_code in (400, 405)
    assert refusal_of(answer, answer.status_code)


@responses.activate
def test_a_trailing_slash_is_accepted():
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())

    answer = app_client().simulate_post(f"{INFERENCE}/", json=ASK)

    assert answer.status_code == 200


# The page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everyone_and_may_be_kept_while_it_is_the_same(path):
    client = falcon.testing.TestClient(app_client().app)

    answer = client.simulate_get(path)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_a_page_is_not_sent_it_again(path, given):
    client = app_client()
    tag = client.simulate_get(path).headers["ETag"]

    answer = client.simulate_get(path, headers={"If-None-Match": given.format(tag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag


@pytest.mark.parametrize("path", PAGES)
def test_who_has_another_page_is_sent_this_one(path):
    answer = app_client().simulate_get(path, headers={"If-None-Match": '"other"'})

    assert answer.status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_head_of_a_page_is_its_headers(path):
    client = app_client()
    whole = client.simulate_get(path)

    answer = client.simulate_head(path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(whole.content))
    assert answer.headers["ETag"] == whole.headers["ETag"]


def test_the_openapi_document_is_that_of_the_spec():
    answer = app_client().simulate_get("/openapi.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == spec.openapi()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_without_the_page_there_is_nothing_at_the_root(method):
    answer = app_client(page=False).simulate_request(method, "/")

    assert answer.status_code == 404
    assert method == "HEAD" or refusal_of(answer, 404)


def test_without_the_page_the_openapi_document_stays():
    answer = app_client(page=False).simulate_get("/openapi.json")

    assert answer.status_code == 200


# Request ids


def test_an_id_that_came_along_is_kept():
    answer = app_client().simulate_post(INFERENCE, headers={"X-Request-Id": "abc-1"})

    assert answer.headers["X-Request-Id"] == answer.json["request_id"] == "abc-1"


@pytest.mark.parametrize(
    "given",
    ["a\x01b", "a\x7fb", "a b", "é", "x" * 129],
    ids=["control", "delete", "space", "not ASCII", "too long"],
)
def test_an_id_that_is_not_short_and_plain_is_replaced(given):
    answer = app_client().simulate_get("/health", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] not in ("", given)


# Web pages


PREFLIGHT = {
    "Origin": "https://page.test",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, x-api-key",
}


@pytest.mark.parametrize(
    "origins, allowed",
    [
        pytest.param(("*",), "*", id="any"),
        pytest.param(("https://page.test",), "https://page.test", id="its own"),
        pytest.param(("https://a.test", "*"), "*", id="any beside another"),
    ],
)
def test_a_web_page_may_call_from_an_origin_that_is_allowed(origins, allowed):
    client = falcon.testing.TestClient(app_client(cors_origins=origins).app)

    preflight = client.simulate_options(STREAM, headers=PREFLIGHT)

    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == allowed
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    headers = preflight.headers["Access-Control-Allow-Headers"].lower()
    assert headers == "authorization, content-type, x-api-key"


@pytest.mark.parametrize(
    "origins",
    [
        pytest.param((), id="that is none of those set, where none is"),
        pytest.param(("https://other.test",), id="that is not the one set"),
    ],
)
def test_a_web_page_may_not_call_from_an_origin(origins):
    client = falcon.testing.TestClient(app_client(cors_origins=origins).app)

    preflight = client.simulate_options(STREAM, headers=PREFLIGHT)

    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize(
    "origins, told",
    [((), None), (("*",), None), (("https://a.test", "https://b.test"), "Origin")],
    ids=["none", "any", "some"],
)
@pytest.mark.parametrize("origin", ["https://a.test", "https://other.test", None])
def test_a_cache_learns_that_an_answer_is_for_one_origin_where_it_is(
    origin, origins, told
):
    client = falcon.testing.TestClient(app_client(cors_origins=origins).app)

    answers = [
        client.simulate_request(
            method, INFERENCE, headers=origin and {"Origin": origin}
        )
        for method in ("POST", "OPTIONS")
    ]

    assert [answer.headers.get("Vary") for answer in answers] == [told, told]


def test_a_web_page_may_read_a_failure_and_its_id():
    client = falcon.testing.TestClient(app_client(cors_origins=("*",)).app)

    answer = client.simulate_post(INFERENCE, headers={"Origin": "https://page.test"})

    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == ["X-Request-Id", "Retry-After"]


# Bad input

JSON = {"Content-Type": "application/json"}
NESTED = b'{"model_id": "m", "input_data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

BAD_BODIES = [
    pytest.param(b"", "empty", id="an empty body"),
    pytest.param(b" ", "not valid JSON", id="white space"),
    pytest.param(b"model_id=m", "not valid JSON", id="no JSON"),
    pytest.param(b'{"model_id": "m"', "not valid JSON", id="half an object"),
    pytest.param(b"{} {}", "not valid JSON", id="two objects"),
    pytest.param(b"[]", "JSON object", id="an array"),
    pytest.param(b'"m"', "JSON object", id="a string"),
    pytest.param(b"7", "JSON object", id="a number"),
    pytest.param(b"null", "JSON object", id="null"),
    pytest.param(b'{"model_id": NaN}', "NaN", id="NaN"),
    pytest.param(b'{"model_id": Infinity}', "Infinity", id="Infinity"),
    pytest.param(b'{"model_id": -Infinity}', "Infinity", id="-Infinity"),
    pytest.param(b'{"model_id": 1e999}', "out of range", id="a number out of range"),
    pytest.param(
        b'{"model_id": ' + b"9" * 5000 + b"}", "not valid JSON", id="5,000 digits"
    ),
    pytest.param(NESTED, "nested", id="100,000 nested arrays"),
    pytest.param(b'{"model_id": "\\ud800"}', "surrogate", id="half a surrogate pair"),
    pytest.param(b'{"model_id": "\xff"}', "UTF-8", id="no UTF-8"),
    pytest.param(b'{"a": 1, "a": 2}', "same key", id="duplicate keys"),
    pytest.param(b'\xef\xbb\xbf{"a": 1}', "not valid JSON", id="a byte order mark"),
    pytest.param(b'{"a": "\x00"}', "not valid JSON", id="a control character"),
]


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("body, complaint", BAD_BODIES)
def test_a_body_is_refused_that_is(body, complaint, path):
    answer = app_client().simulate_post(path, body=body, headers=JSON)

    assert complaint in refusal_of(answer)
    assert answer.json["code"] == "invalid_input"


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_is_refused_that_is_not_sent_as_json(content_type, path):
    headers = {"Content-Type": content_type} if content_type is not None else {}

    answer = app_client().simulate_post(path, body=json.dumps(ASK), headers=headers)

    assert "application/json" in refusal_of(answer, 415)


@pytest.mark.parametrize("path", POSTED)
def test_a_body_over_the_limit_is_refused(path):
    client = app_client(max_body_bytes=100)

    answer = client.simulate_post(path, json=ASK | {"more": "x" * 100})

    assert "100 bytes" in refusal_of(answer, 413)
    assert answer.json["code"] == "context_too_large"


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "9999999999999999999999"])
def test_an_absurd_content_length_is_refused(length):
    answer = unchecked(app_client(), INFERENCE, CONTENT_LENGTH=length)

    assert answer.status_code in (400, 413)
    assert refusal_of(answer, answer.status_code)


def messages(*values: object) -> dict:
    return {"model_id": "m", "messages": list(values)}


WORDS = {"role": "user", "content": "Hi"}
BAD_FIELDS = [
    pytest.param({}, "model_id", id="no model_id"),
    pytest.param({"model_id": None}, "model_id", id="a null for model_id"),
    pytest.param(ASK | {"model_id": 7}, "model_id", id="a number for model_id"),
    pytest.param(ASK | {"model_id": []}, "model_id", id="an array for model_id"),
    pytest.param(ASK | {"model_id": " \n"}, "model_id", id="a blank model_id"),
    pytest.param(ASK | {"model_id": "x" * 257}, "model_id", id="an absurd model_id"),
    pytest.param({"model_id": "m"}, "messages", id="neither form"),
    pytest.param(ASK | {"input_data": "x"}, "input_data", id="both forms"),
    pytest.param(messages(), "messages", id="no message"),
    pytest.param(ASK | {"messages": "x"}, "messages", id="text for messages"),
    pytest.param(ASK | {"messages": WORDS}, "messages", id="an object for messages"),
    pytest.param(messages("x"), "messages[0]", id="text for a message"),
    pytest.param(messages(WORDS, None), "messages[1]", id="a null for a message"),
    pytest.param(messages({"content": "x"}), "messages[0].role", id="no role"),
    pytest.param(
        messages({"role": "wizard", "content": "x"}),
        "messages[0].role",
        id="an unknown role",
    ),
    pytest.param(
        messages({"role": ["user"], "content": "x"}),
        "messages[0].role",
        id="an array for a role",
    ),
    pytest.param(
        messages({"role": {}, "content": "x"}),
        "messages[0].role",
        id="an object for a role",
    ),
    pytest.param(messages({"role": "user"}), "messages[0].content", id="no content"),
    pytest.param(
        messages({"role": "user", "content": None}),
        "messages[0].content",
        id="a null for content",
    ),
    pytest.param(
        messages({"role": "user", "content": 7}),
        "messages[0].content",
        id="a number for content",
    ),
    pytest.param(
        messages({"role": "user", "content": []}),
        "messages[0].content",
        id="no part in content",
    ),
    pytest.param(
        messages({"role": "user", "content": ["x"]}),
        "messages[0].content[0]",
        id="text for a part",
    ),
    pytest.param(
        messages({"role": "user", "content": [{"text": "x"}]}),
        "messages[0].content[0].type",
        id="a part without type",
    ),
    pytest.param(
        messages({"role": "user", "content": [{"type": "text"}]}),
        "messages[0].content[0].text",
        id="a text part without text",
    ),
    pytest.param(
        {"model_id": "m", "input_data": ""}, "input_data", id="an empty input_data"
    ),
    pytest.param(
        {"model_id": "m", "input_data": {"messages": []}},
        "input_data.messages",
        id="no message in input_data",
    ),
    pytest.param(ASK | {"parameters": 7}, "parameters", id="a number for parameters"),
    pytest.param(ASK | {"parameters": []}, "parameters", id="an array for parameters"),
    *(
        pytest.param(
            ASK | {"parameters": {name: value}},
            f"parameters.{name}",
            id=f"{value!r} for {name}",
        )
        for name, value in [
            ("temperature", 2.1),
            ("temperature", True),
            ("temperature", "hot"),
            ("max_tokens", 0),
            ("max_tokens", 1.5),
            ("top_p", -0.1),
            ("top_k", 0),
            ("seed", "x"),
            ("stop", 7),
            ("stop", [7]),
            ("stop", ["x"] * 9),
            ("presence_penalty", 3),
            ("frequency_penalty", -3),
            ("model", "x"),
            ("stream", True),
            ("messages", []),
            ("options", {}),
            ("tools", []),
        ]
    ),
]


@pytest.mark.parametrize("path", [INFERENCE, STREAM])
@pytest.mark.parametrize("body, field", BAD_FIELDS)
def test_the_complaint_names_the_field_that_is_wrong(body, field, path):
    answer = app_client().simulate_post(path, json=body)

    assert f"'{field}'" in refusal_of(answer)


BAD_BATCHES = [
    pytest.param({"model_id": "m"}, "inputs", id="no inputs"),
    pytest.param(BATCHED | {"inputs": []}, "inputs", id="none in inputs"),
    pytest.param(BATCHED | {"inputs": {}}, "inputs", id="an object for inputs"),
    pytest.param(BATCHED | {"inputs": "x"}, "inputs", id="text for inputs"),
    pytest.param(
        BATCHED | {"inputs": [{"input_data": "x"}] * 300}, "inputs", id="300 inputs"
    ),
    pytest.param(BATCHED | {"inputs": ["x"]}, "inputs[0]", id="text for an input"),
    pytest.param(BATCHED | {"inputs": [{}]}, "inputs[0].messages", id="an empty input"),
    pytest.param(
        BATCHED | {"inputs": [{"input_data": "x", "parameters": {"seed": "x"}}]},
        "inputs[0].parameters.seed",
        id="a wrong parameter of an input",
    ),
    pytest.param(
        BATCHED | {"parameters": {"seed": "x"}},
        "parameters.seed",
        id="a wrong parameter of all",
    ),
    *(
        pytest.param(
            BATCHED | {"max_concurrency": value},
            "max_concurrency",
            id=f"{value!r} for max_concurrency",
        )
        for value in (-1, 0, 1.5, "4", True, [])
    ),
]


@pytest.mark.parametrize("body, field", BAD_BATCHES)
def test_a_batch_is_refused_with(body, field):
    answer = app_client().simulate_post(BATCH, json=body)

    assert f"'{field}'" in refusal_of(answer)


BAD_EMBEDDINGS = [
    pytest.param({"model_id": "m"}, "input", id="no input"),
    pytest.param(EMBED | {"input": ""}, "input", id="empty text"),
    pytest.param(EMBED | {"input": []}, "input", id="no text"),
    pytest.param(EMBED | {"input": 7}, "input", id="a number"),
    pytest.param(EMBED | {"input": {}}, "input", id="an object"),
    pytest.param(
        EMBED | {"input": ["a", ""]}, "input[1]", id="empty text among others"
    ),
    pytest.param(EMBED | {"input": ["a", 7]}, "input[1]", id="a number among texts"),
    pytest.param(EMBED | {"input": ["a"] * 513}, "input", id="too many texts"),
]


@pytest.mark.parametrize("body, field", BAD_EMBEDDINGS)
def test_embeddings_are_refused_for(body, field):
    answer = app_client().simulate_post(EMBEDDINGS, json=body)

    assert f"'{field}'" in refusal_of(answer)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "video"])
def test_a_part_that_is_no_text_is_a_modality_that_is_not_supported(kind):
    part = {"type": kind, kind: {"url": "data:,"}}

    answer = app_client().simulate_post(
        INFERENCE, json=messages({"role": "user", "content": [part]})
    )

    assert "messages[0].content[0].type" in refusal_of(answer, 422)
    assert answer.json["code"] == "unsupported_modality"


# What an upstream does to us

OPTION = {"error": 'option "seed" must be of type integer'}
CONTEXT = {"error": {"message": "no", "type": "exceed_context_size_error"}}
MODALITY = {"error": "this model does not support that"}

UNAVAILABLE = (503, "service_unavailable", "server_error", True)
TIMEOUT = (504, "gateway_timeout", "request_timeout", True)
LIMITED = (429, "rate_limited", "rate_limited", True)
BROKEN = (502, "bad_gateway", "inference_failed", True)
NO_MODEL = (404, "not_found", "model_not_found", False)
OUR_KEY = (502, "bad_gateway", "cloud_provider_auth_failed", False)
TOO_LONG = (413, "payload_too_large", "context_too_large", False)
CANNOT = (422, "validation_error", "unsupported_modality", False)
REFUSED = (400, "bad_request", "invalid_input", False)

TABLE = [
    # what the upstream does, is the next backend asked, what the client gets
    pytest.param(
        requests.ConnectTimeout(), True, UNAVAILABLE, id="takes no connection"
    ),
    pytest.param(
        requests.exceptions.SSLError(), True, UNAVAILABLE, id="has a bad certificate"
    ),
    pytest.param(requests.ReadTimeout(), True, TIMEOUT, id="says nothing in time"),
    pytest.param((408, {}), True, TIMEOUT, id="says 408"),
    pytest.param((503, {}), True, UNAVAILABLE, id="says 503"),
    pytest.param((429, {}), True, LIMITED, id="says 429"),
    pytest.param((500, {}), True, BROKEN, id="says 500"),
    pytest.param((501, {}), True, BROKEN, id="says 501"),
    pytest.param((502, "<html>"), True, BROKEN, id="says 502"),
    pytest.param((200, "<html>"), True, BROKEN, id="sends garbage"),
    pytest.param(
        (200, '{"message": {"con'), True, BROKEN, id="sends half of its answer"
    ),
    pytest.param((200, ""), True, BROKEN, id="sends an empty answer"),
    pytest.param((200, {}), True, BROKEN, id="sends an empty object"),
    pytest.param(
        (200, {"error": "no"}), True, BROKEN, id="sends an error with status 200"
    ),
    pytest.param((307, {}), True, BROKEN, id="sends us elsewhere"),
    pytest.param(requests.ConnectionError("cut"), True, BROKEN, id="hangs up"),
    pytest.param(
        (404, {"error": "no such model"}), True, NO_MODEL, id="lacks the model"
    ),
    pytest.param((401, {}), True, OUR_KEY, id="refuses our key with 401"),
    pytest.param((402, {}), True, OUR_KEY, id="refuses our key with 402"),
    pytest.param((403, ""), True, OUR_KEY, id="refuses our key with 403"),
    pytest.param((400, CONTEXT), False, TOO_LONG, id="finds the context too long"),
    pytest.param((400, MODALITY), False, CANNOT, id="cannot do it, by 400"),
    pytest.param((422, MODALITY), False, CANNOT, id="cannot do it, by 422"),
    pytest.param((400, {"error": "no"}), False, REFUSED, id="refuses it with 400"),
    pytest.param((422, {"error": "no"}), False, REFUSED, id="refuses it with 422"),
    pytest.param((418, {}), False, REFUSED, id="refuses it with another 4xx"),
    pytest.param((500, OPTION), False, REFUSED, id="names an option with 500"),
]

OPERATIONS = [
    pytest.param(INFERENCE, ASK, id="a completion"),
    pytest.param(STREAM, ASK, id="a stream"),
    pytest.param(EMBEDDINGS, EMBED, id="embeddings"),
]

UPSTREAM_PATHS = {
    "ollama": {INFERENCE: "/api/chat", STREAM: "/api/chat", EMBEDDINGS: "/api/embed"},
    "openai": {
        INFERENCE: "/chat/completions",
        STREAM: "/chat/completions",
        EMBEDDINGS: "/embeddings",
    },
}
BASE = {"ollama": OLLAMA, "openai": OPENAI}


def upstream(provider: str, path: str, does: object) -> None:
    """Let the upstream of `provider` do this when `path` is asked for."""
    url = BASE[provider] + UPSTREAM_PATHS[provider][path]
    if isinstance(does, Exception):
        responses.post(url, body=does)
    else:
        status, body = does
        text = body if isinstance(body, str) else json.dumps(body)
        responses.post(url, status=status, body=text)


def only(provider: str, **settings: object) -> falcon.testing.TestClient:
    other = {"ollama": "openai_api_endpoint", "openai": "ollama_base_url"}[provider]
    return app_client(**{other: ""}, **settings)


@pytest.mark.parametrize("provider", ["ollama", "openai"])
@pytest.mark.parametrize("path, body", OPERATIONS)
@pytest.mark.parametrize("does, falls_back, told", TABLE)
@responses.activate
def test_what_the_client_is_told_when_the_only_upstream(
    does, falls_back, told, path, body, provider
):
    upstream(provider, path, does)

    answer = only(provider).simulate_post(path, json=body)

    failure = answer.json
    assert answer.status_code == failure["status_code"]
    assert (
        failure["status_code"],
        failure["error"],
        failure["code"],
        failure["retryable"],
    ) == told
    assert answer.headers["Content-Type"] == "application/json"
    assert len(responses.calls) == 1


GOOD_ANSWERS = {
    INFERENCE: json.dumps(openai_chat()),
    STREAM: 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n',
    EMBEDDINGS: '{"data": [{"index": 0, "embedding": [1.0]}]}',
}


@pytest.mark.parametrize("path, body", OPERATIONS)
@pytest.mark.parametrize("does, falls_back, told", TABLE)
@responses.activate
def test_whether_the_next_backend_is_asked_when_the_first(
    does, falls_back, told, path, body
):
    upstream("ollama", path, does)
    upstream("openai", path, (200, GOOD_ANSWERS[path]))

    answer = app_client().simulate_post(path, json=body)

    assert (answer.status_code == 200) is falls_back
    assert len(responses.calls) == (2 if falls_back else 1)


@pytest.mark.parametrize("provider", ["ollama", "openai"])
@pytest.mark.parametrize("path, body", OPERATIONS)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("given, told", [("17", "17"), (None, "1"), ("soon", "1")])
@responses.activate
def test_a_busy_upstream_says_when_to_come_again(
    given, told, status, path, body, provider
):
    url = BASE[provider] + UPSTREAM_PATHS[provider][path]
    headers = {"Retry-After": given} if given else {}
    responses.post(url, status=status, headers=headers)

    answer = only(provider).simulate_post(path, json=body)

    assert answer.headers["Retry-After"] == told


@pytest.mark.parametrize("provider", ["ollama", "openai"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([], id="none"),
        pytest.param([[1.0]], id="one of two"),
        pytest.param([[1.0], []], id="an empty one"),
        pytest.param([[1.0], [1.0, 2.0]], id="two dimensions"),
        pytest.param([[1.0], [None]], id="a null in one"),
    ],
)
@responses.activate
def test_missing_vectors_are_a_broken_answer(answer, provider):
    bodies = {
        "ollama": {"embeddings": answer},
        "openai": {
            "data": [{"index": i, "embedding": each} for i, each in enumerate(answer)]
        },
    }
    upstream(provider, EMBEDDINGS, (200, bodies[provider]))

    told = only(provider).simulate_post(
        EMBEDDINGS, json={"model_id": "m", "input": ["a", "b"]}
    )

    assert (told.status_code, told.json["code"]) == (502, "inference_failed")


@responses.activate
def test_nothing_of_an_upstreams_address_or_key_reaches_the_client():
    for failing in (OLLAMA, OPENAI):
        body = requests.ConnectionError(f"{failing} upstream-key")
        responses.post(f"{failing}/api/chat", body=body)
        responses.post(f"{failing}/chat/completions", body=body)

    answer = app_client().simulate_post(INFERENCE, json=ASK)

    assert answer.status_code == 502
    assert ".test" not in answer.text and "upstream-key" not in answer.text


@responses.activate
def test_a_request_with_everything_unknown_to_us_is_answered():
    responses.post(f"{OLLAMA}/api/chat", body=ndjson(ollama_chat()))
    body = ASK | {"input_data": None, "parameters": {}, "session": 7, "user": {"a": 1}}

    answer = app_client().simulate_post(INFERENCE, json=body)

    assert answer.status_code == 200
