"""The scripted backend answers as its scenarios say, in both dialects."""

import http.client
import json
import math
from contextlib import closing

import pytest
from octomil_conformance.backend import (
    UNICODE_TOKENS,
    echo_tokens,
    embed,
    tagged,
)
from octomil_conformance.backend.scenarios import SCENARIOS
from scripted_calls import (
    DIALECTS,
    SOON,
    base,
    chat,
    exchange,
    stream,
    texts,
    vectors,
    whole,
)


def test_there_are_scenarios_and_each_has_a_sentence():
    assert len(SCENARIOS) > 30

    assert all(len(scenario.sentence) > 10 for scenario in SCENARIOS.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_echo_says_the_prompt_word_by_word_without_its_tag(scripted, dialect, nonce):
    with stream(
        scripted, dialect, "conf-echo", tagged(nonce, "one two  three")
    ) as response:
        said = texts(dialect, response.read())

    assert said == ["one", " two", " three"] == echo_tokens("one two  three")
    assert whole(scripted, dialect, "conf-echo", tagged(nonce, "one two")) == (
        200,
        "one two",
    )


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [("ollama", {"options": {"num_predict": 2}}), ("openai", {"max_tokens": 2})],
)
def test_an_answer_has_no_more_tokens_than_asked_for(scripted, dialect, limit):
    with stream(scripted, dialect, "conf-echo", "one two three", **limit) as response:
        data = response.read()

    assert texts(dialect, data) == ["one", " two"]
    assert b'"length"' in data
    assert whole(scripted, dialect, "conf-echo", "one two three", **limit)[1] == (
        "one two"
    )


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [
        ("ollama", {"options": {"num_predict": 2**64}}),
        ("openai", {"max_tokens": 2**64}),
    ],
)
def test_a_limit_beyond_all_machine_words_is_none(scripted, dialect, limit):
    status, text = whole(scripted, dialect, "conf-echo", "one two three", **limit)

    assert (status, text) == (200, "one two three")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_user_message_is_echoed(scripted, dialect):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
    ]

    assert whole(scripted, dialect, "conf-echo", "", messages=messages) == (
        200,
        "hello",
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unicode_survives_pieces_that_end_inside_a_character(scripted, dialect):
    with stream(scripted, dialect, "conf-unicode", "x") as response:
        said = texts(dialect, response.read())

    assert said == list(UNICODE_TOKENS)
    assert whole(scripted, dialect, "conf-unicode", "x")[1] == "".join(UNICODE_TOKENS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_empty_is_a_complete_answer_without_a_token(scripted, dialect):
    with stream(scripted, dialect, "conf-empty", "x") as response:
        data = response.read()

    assert texts(dialect, data) == []
    assert b'"stop"' in data


@pytest.mark.parametrize("dialect", DIALECTS)
def test_thoughts_come_first_and_are_no_content(scripted, dialect):
    with stream(scripted, dialect, "conf-thinking", "one two") as response:
        data = response.read()

    assert data.index(b"Let") < data.index(b"one")
    assert texts(dialect, data) == ["one", " two"]


def test_each_backend_can_have_its_own_scenario(scripted):
    model = "conf-ollama-500-openai-ok"

    with chat(scripted, "ollama", model, "x") as response:
        response.read()

    assert response.status == 500
    assert whole(scripted, "openai", model, "x") == (200, "x")


def test_the_port_and_not_the_path_tells_which_backend_is_asked(scripted, nonce):
    body = {
        "model": "conf-ollama-ok-openai-500",
        "messages": [{"role": "user", "content": tagged(nonce, "x")}],
    }

    with exchange(scripted, "ollama", "/v1/chat/completions", body) as response:
        response.read()

    assert response.status == 200
    assert scripted.calls(nonce)[0].backend == "ollama"


def test_a_tag_gives_one_item_of_a_batch_its_own_scenario(scripted, nonce):
    with chat(
        scripted, "ollama", "conf-echo", tagged(f"{nonce}.1", "x", "http-500")
    ) as response:
        response.read()

    assert response.status == 500
    assert whole(scripted, "ollama", "conf-echo", tagged(f"{nonce}.0", "x"))[0] == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_embeddings_have_length_one_and_similar_texts_are_near(scripted, dialect):
    given = ["the red apple", "red apples", "a quick train"]

    apple, apples, train = vectors(scripted, dialect, "conf-echo", given)

    assert math.isclose(math.hypot(*apple), 1, abs_tol=1e-5)
    assert _dot(apple, apples) > 2 * abs(_dot(apple, train))
    assert apple == embed("the red apple") == embed(tagged("n", "the red apple"))


def _dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_chunked_requests_are_understood(scripted):
    body = json.dumps(
        {
            "model": "conf-echo",
            "stream": False,
            "messages": [{"role": "user", "content": "x"}],
        }
    ).encode()
    with closing(
        http.client.HTTPConnection(base(scripted, "ollama").netloc, timeout=SOON)
    ) as connection:
        connection.request("POST", "/api/chat", iter([body[:9], body[9:]]))
        answer = json.loads(connection.getresponse().read())

    assert answer["message"]["content"] == "x"
