"""OpenAI's endpoints under `/v1`, and the document that describes all that SDKs and OpenAI clients call besides the five."""

import base64
import json
import struct

import jsonschema
import pytest
import responses
from builders import (
    OLLAMA,
    OPENAI,
    app_client,
    ndjson,
    ollama_chat,
    ollama_line,
    ollama_streams,
    open_body,
    sent,
)

CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def events(data: bytes) -> list:
    """The JSON of each event, and `[DONE]`."""
    frames = data.decode("ascii").split("\n\n")
    assert frames.pop() == "" and all(frame.startswith("data: ") for frame in frames)
    texts = [frame.removeprefix("data: ") for frame in frames]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def test_a_whole_answer_has_openais_shape(client):
    ended = {"prompt_eval_count": 3, "eval_count": 2, "done_reason": "stop"}
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat("Cherry", **ended))

    body = client.simulate_post(CHAT, json=HELLO).json

    assert body.pop("id").startswith("chatcmpl-")
    assert body.pop("created") > 1_700_000_000
    assert body == {
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Cherry"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "provider": "ollama",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def test_a_stream_has_the_role_the_tokens_the_reason_and_the_end_mark(client):
    counts = {"prompt_eval_count": 3, "eval_count": 2}
    ollama_streams("Che", "rry", done_reason="stop", **counts)

    asked = {"stream": True, "stream_options": {"include_usage": True}}
    model = "\0"  # the mark that the server looks for in the JSON of a chunk

    response = client.simulate_post(CHAT, json=HELLO | asked | {"model": model})

    *chunks, usage, done = events(response.content)
    assert usage["choices"] == [] and usage["usage"]["total_tokens"] == 5
    assert response.headers["content-type"] == "text/event-stream" and done == "[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Che"},
        {"content": "rry"},
        {},
    ]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None, None, None, "stop"]
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert {chunk["model"] for chunk in chunks} == {model}


def test_an_empty_stream_still_has_its_role_and_its_end(client):
    ollama_streams(done_reason="stop")

    response = client.simulate_post(CHAT, json=HELLO | {"stream": True})

    role, last, done = events(response.content)
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "stop" and done == "[DONE]"


def test_a_cut_stream_says_so_and_breaks_off(client):
    responses.post(f"{OLLAMA}/api/chat", body=ndjson(ollama_line("Half")))
    body = open_body(client, CHAT, HELLO | {"stream": True})
    received = []

    with pytest.raises(BrokenPipeError):
        received.extend(body)
    body.close()

    *_, half, failure = events(b"".join(received))
    assert half["choices"][0]["delta"] == {"content": "Half"}
    assert failure["error"]["code"] == "stream_interrupted"
    assert failure["choices"][0]["delta"] == {}, "the Python SDK reads the first choice"


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"max_completion_tokens": 9}, {"num_predict": 9}),
        ({"max_tokens": 9, "temperature": 0}, {"num_predict": 9, "temperature": 0}),
        ({"stop": "END", "seed": 1}, {"stop": ["END"], "seed": 1}),
        ({"n": 1, "tools": [], "logprobs": False, "tool_choice": "none"}, None),
        ({"temperature": None, "stream_options": None}, None),
        ({"stream_options": []}, None),
    ],
    ids=str,
)
def test_parameters_reach_the_model(client, given, options):
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())

    assert client.simulate_post(CHAT, json=HELLO | given).status_code == 200

    assert sent().get("options") == options


def test_a_developer_message_is_a_system_message(client):
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    messages = [{"role": "developer", "content": "Be brief."}, *HELLO["messages"]]

    client.simulate_post(CHAT, json=HELLO | {"messages": messages})

    assert [message["role"] for message in sent()["messages"]] == ["system", "user"]


BAD_FIELDS = [
    (CHAT, "model", {"model": None}),
    (CHAT, "messages", {"messages": None}),
    (CHAT, "messages[0]", {"messages": ["Hi"]}),
    (CHAT, "tools", {"tools": [{"type": "function"}]}),
    (CHAT, "messages[0].tool_calls", {"messages": [{"tool_calls": [{}]}]}),
    (CHAT, "n", {"n": 2}),
    (CHAT, "n", {"n": True}),
    (CHAT, "logprobs", {"logprobs": True}),
    (CHAT, "audio", {"audio": {}}),
    (CHAT, "stream", {"stream": "yes"}),
    (CHAT, "stream_options", {"stream_options": [1]}),
    (CHAT, "stream_options.include_usage", {"stream_options": {"include_usage": 1}}),
    (CHAT, "temperature", {"temperature": 9}),
    (CHAT, "max_completion_tokens", {"max_completion_tokens": 0}),
    (CHAT, "max_completion_tokens", {"max_completion_tokens": 1, "max_tokens": 1}),
    (EMBED, "input", {}),
    (EMBED, "input", {"input": [1, 2]}),
    (EMBED, "input", {"input": [[1, 2]]}),
    (EMBED, "dimensions", {"input": "a", "dimensions": 8}),
    (EMBED, "encoding_format", {"input": "a", "encoding_format": "hex"}),
]


@pytest.mark.parametrize("path, field, given", BAD_FIELDS, ids=str)
def test_a_bad_field_is_named_in_openais_error(client, path, field, given):
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat())
    body = HELLO if path == CHAT else {"model": "m"}

    response = client.simulate_post(path, json=body | given)

    error = response.json["error"]
    assert response.status_code == 400 and not responses.calls
    assert error["param"] == field and field in error["message"]
    assert error["type"] == "invalid_request_error" and error["code"] == "invalid_input"


def test_an_image_is_a_400(client):
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    messages = [{"role": "user", "content": [image]}]

    response = client.simulate_post(CHAT, json=HELLO | {"messages": messages})

    assert response.status_code == 400 and "image" not in response.json["error"]["type"]


@pytest.mark.parametrize(
    ("headers", "path", "status", "type_", "code"),
    [
        ({"Authorization": "x"}, CHAT, 401, "authentication_error", None),
        ({}, "/v1/nothing", 404, "invalid_request_error", None),
        ({}, CHAT, 429, "rate_limit_error", "rate_limited"),
        ({}, "/v1/models", 502, "server_error", None),
    ],
)
def test_every_error_below_v1_has_openais_shape(
    client, headers, path, status, type_, code
):
    responses.post(f"{OLLAMA}/api/chat", status=429)
    responses.post(f"{OPENAI}/chat/completions", status=429)
    call = client.simulate_get if path == "/v1/models" else client.simulate_post

    response = call(path, json=HELLO, headers=headers)

    error = response.json["error"]
    assert response.status_code == status and set(response.json) == {"error"}
    assert error["type"] == type_ and code in (None, error["code"])
    assert error["message"] and error["param"] is None
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/completions"])
def test_a_client_of_another_openai_endpoint_learns_which_ones_there_are(client, path):
    error = client.simulate_post(path, json=HELLO).json["error"]

    assert "chat/completions, embeddings and models" in error["message"]


def vectors_from(*vectors: list[float]) -> None:
    answer = {"embeddings": list(vectors), "prompt_eval_count": 4}
    responses.post(f"{OLLAMA}/api/embed", json=answer)


def test_embeddings_are_numbers_unless_base64_is_asked_for(client):
    vectors_from([0.5, -1.0], [0.25, 2.0])
    body = {"model": "m", "input": ["a", "b"], "encoding_format": "float"}

    found = client.simulate_post(EMBED, json=body).json

    assert [item["embedding"] for item in found["data"]] == [[0.5, -1.0], [0.25, 2.0]]
    assert [item["index"] for item in found["data"]] == [0, 1]
    assert found["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    assert found["model"] == "m" and found["object"] == "list"


def test_base64_holds_little_endian_32_bit_floats(client):
    vectors_from([0.5, -1.0])
    body = {"model": "m", "input": "a", "encoding_format": "base64"}

    found = client.simulate_post(EMBED, json=body).json

    data = base64.b64decode(found["data"][0]["embedding"])
    assert struct.unpack("<2f", data) == (0.5, -1.0)


def test_a_number_beyond_32_bits_is_a_502_in_base64(client):
    vectors_from([1e300])
    body = {"model": "m", "input": "a", "encoding_format": "base64"}

    assert client.simulate_post(EMBED, json=body).status_code == 502


CALLS = [
    *(("post", CHAT), ("post", EMBED)),
    *(("get", "/v1/models"), ("get", "/v1/models/{model_id}")),
    *(("post", "/api/v1/route"), ("post", "/api/v2/runtime/plan")),
    ("get", "/api/v2/catalog/manifest"),
    ("post", "/api/v2/telemetry/events"),
]


def test_a_setting_removes_them_all():
    client = app_client(sdk_endpoints=False)

    assert {client.simulate_get(path).status_code for _, path in CALLS} == {404}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_answers_and_examples_are_as_the_openapi_document_says(client, method, path):
    responses.post(f"{OLLAMA}/api/chat", json=ollama_chat("Cherry"))
    responses.post(f"{OLLAMA}/api/embed", json={"embeddings": [[0.5], [0.25]]})
    responses.get(f"{OLLAMA}/api/tags", json={"models": [{"name": "m"}]})
    paths = client.simulate_get("/openapi.json").json["paths"]
    operation = paths[path][method]
    content = operation.get("requestBody", {}).get("content", {})
    asked = content.get("application/json", {})

    answer = client.simulate_request(
        method.upper(), path.format(model_id="m"), json=asked.get("example")
    )

    jsonschema.validate(asked.get("example"), asked.get("schema", {}))
    [(status, response)] = operation["responses"].items()
    assert answer.status_code == int(status)
    jsonschema.validate(answer.json, response["content"]["application/json"]["schema"])
