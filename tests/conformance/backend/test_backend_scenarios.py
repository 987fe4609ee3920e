"""The scripted backend answers and fails as its scenarios say. Other tests show most of them through a server."""

import http.client
import json
import math
import time

import pytest
from octomil_conformance.backend import embed, tagged
from octomil_conformance.backend.words import DIMENSIONS, LENGTH
from scripted_calls import DIALECTS, TIMEOUT, chat, exchange, stream, whole


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [
        ("ollama", {"options": {"num_predict": 2**64}}),
        ("openai", {"max_tokens": 2**64}),
    ],
)
def test_a_limit_beyond_all_machine_words_is_no_limit(scripted, dialect, limit):
    status, text = whole(scripted, dialect, "conf-echo", "one two three", **limit)

    assert (status, text) == (200, "one two three")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_user_message_is_echoed(scripted, dialect):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
    ]

    said = whole(scripted, dialect, "conf-echo", "", messages=messages)

    assert said == (200, "hello")


def test_the_port_and_not_the_path_tells_which_backend_is_asked(scripted, nonce):
    body = {
        "model": "conf-ollama-ok-openai-500",
        "messages": [{"role": "user", "content": tagged(nonce, "x")}],
    }

    with exchange(scripted, "ollama", "/v1/chat/completions", body) as response:
        response.read()

    assert response.status == 200
    assert scripted.calls(nonce)[0].backend == "ollama"


def test_embeddings_are_not_scaled_to_one_and_similar_texts_are_near():
    apple, apples, train = map(embed, ["the red apple", "red apples", "a quick train"])

    assert math.isclose(math.hypot(*apple[:DIMENSIONS]), LENGTH, abs_tol=1e-5)
    assert _dot(apple, apples) > 2 * abs(_dot(apple, train))
    assert apple == embed(tagged("n", "the red apple"))


@pytest.mark.parametrize(
    ("port", "path"), [("ollama", "/api/embed"), ("openai", "/v1/embeddings")]
)
def test_dimensions_shorten_vectors_as_on_real_servers(scripted, port, path):
    body = {"model": "conf-echo", "input": ["x"], "dimensions": 8}

    with exchange(scripted, port, path, body) as response:
        answer = json.loads(response.read())

    vectors = answer.get("embeddings") or [each["embedding"] for each in answer["data"]]
    assert vectors == [embed("x")[:8]]


def _dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("llama", 404),
        ("conf-missing", 404),
        ("conf-auth", 401),
        ("conf-context-too-long", 400),
        ("conf-no-support", 400),
    ],
)
def test_a_refusal_has_its_status(scripted, dialect, model, status):
    with chat(scripted, dialect, model, tagged("n", "x")) as response:
        error = json.loads(response.read())["error"]

    assert response.status == status
    assert error if dialect == "ollama" else error["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "said", "ended"),
    [
        ("truncate", 2, "cleanly"),
        ("cut", 2, "broken off"),
        ("cut-before-first", 0, "broken off"),
        ("garbage", 0, "with a page"),
        ("error-frame", 2, "with an error"),
    ],
)
def test_a_stream_fails_in_its_own_way(scripted, dialect, name, said, ended):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        try:
            data, way = response.read(), "cleanly"
        except http.client.IncompleteRead as ex:
            data, way = ex.partial, "broken off"

    ways = {b"<html>": "with a page", b'"error":': "with an error"}
    way = next((ways[mark] for mark in ways if mark in data), way)
    words = [word for word in (b"one", b" two", b" three", b"stop") if word in data]
    assert (response.status, way) == (200, ended)
    assert words == [b"one", b" two"][:said]


@pytest.mark.parametrize("name", ["slow", "drip", "stall"])
def test_late_single_answers_are_later_than_the_timeout(scripted, name):
    begin = time.monotonic()

    answer = whole(scripted, "openai", f"conf-{name}", "one two three")

    assert answer == (200, "one two three")
    assert time.monotonic() - begin > 2 * TIMEOUT


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"options": {"stop": "x"}}, 500, 'option "stop" must be of type []string'),
        ({"options": []}, 400, "cannot unmarshal array"),
        ({"messages": [{"role": "user", "content": []}]}, 400, "cannot unmarshal"),
        ({"messages": "x"}, 400, "must be an array"),
    ],
)
def test_what_a_real_ollama_refuses_is_refused(scripted, fields, status, words):
    with chat(scripted, "ollama", "conf-echo", "x", **fields) as response:
        error = json.loads(response.read())["error"]

    assert response.status == status
    assert words in error
