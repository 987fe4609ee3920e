"""The scripted backend answers as its scenarios say, in both dialects."""

import math

import pytest
from octomil_conformance.backend import (
    embed,
    tagged,
)
from octomil_conformance.backend.words import DIMENSIONS, LENGTH
from scripted_calls import (
    DIALECTS,
    exchange,
    vectors,
    whole,
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


def test_the_port_and_not_the_path_tells_which_backend_is_asked(scripted, nonce):
    body = {
        "model": "conf-ollama-ok-openai-500",
        "messages": [{"role": "user", "content": tagged(nonce, "x")}],
    }

    with exchange(scripted, "ollama", "/v1/chat/completions", body) as response:
        response.read()

    assert response.status == 200
    assert scripted.calls(nonce)[0].backend == "ollama"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_embeddings_are_not_scaled_to_one_and_similar_texts_are_near(scripted, dialect):
    given = ["the red apple", "red apples", "a quick train"]

    apple, apples, train = vectors(scripted, dialect, "conf-echo", given)

    assert math.isclose(math.hypot(*apple[:DIMENSIONS]), LENGTH, abs_tol=1e-5)
    assert _dot(apple, apples) > 2 * abs(_dot(apple, train))
    assert apple == embed("the red apple") == embed(tagged("n", "the red apple"))


def _dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))
