"""The scripted backend fails as its scenarios say, in both dialects."""

import json
import time

import pytest
from octomil_conformance.backend import (
    tagged,
)
from scripted_calls import (
    DIALECTS,
    TIMEOUT,
    chat,
    whole,
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_model_is_404(scripted, dialect):
    with chat(scripted, dialect, "llama", tagged("n", "x", "echo")) as response:
        response.read()

    assert response.status == 404


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
        ({"messages": [{"role": "user", "content": []}]}, 400, "cannot unmarshal"),
        ({"messages": "x"}, 400, "must be an array"),
    ],
)
def test_what_a_real_ollama_refuses_is_refused(scripted, fields, status, words):
    with chat(scripted, "ollama", "conf-echo", "x", **fields) as response:
        error = json.loads(response.read())["error"]

    assert response.status == status
    assert words in error
