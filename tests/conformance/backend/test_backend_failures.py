"""The scripted backend fails as its scenarios say, in both dialects."""

import http.client
import json
import time

import pytest
from octomil_conformance.backend import (
    tagged,
)
from scripted_calls import (
    DIALECTS,
    SOON,
    TIMEOUT,
    chat,
    stream,
    whole,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "name",
    [
        "http-400",
        "http-429",
        "http-500",
        "http-503",
        "404",
        "missing",
        "auth",
        "context-too-long",
        "no-support",
    ],
)
def test_refusals_have_their_status_in_both_kinds_of_answer(scripted, dialect, name):
    expected = {"auth": 401, "context-too-long": 400, "no-support": 400, "missing": 404}
    status = expected.get(name) or int(name.removeprefix("http-"))

    with stream(scripted, dialect, f"conf-{name}", "x") as streamed:
        error = json.loads(streamed.read())["error"]
    with chat(scripted, dialect, f"conf-{name}", "x") as single:
        single.read()

    assert (streamed.status, single.status) == (status, status)
    assert error if dialect == "ollama" else error["message"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_model_is_404(scripted, dialect):
    with chat(scripted, dialect, "llama", tagged("n", "x", "echo")) as response:
        response.read()

    assert response.status == 404


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "said", "ended"),
    [
        ("truncate", 2, "cleanly"),
        ("truncate-before-first", 0, "cleanly"),
        ("cut", 2, "broken off"),
        ("cut-before-first", 0, "broken off"),
        ("garbage", 0, "with a page"),
        ("garbage-later", 2, "with a page"),
        ("error-frame", 2, "with an error"),
        ("error-frame-first", 0, "with an error"),
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
    assert (response.status, way) == (200, ended)
    assert [word for word in (b"one", b" two", b" three", b"stop") if word in data] == [b"one", b" two"][:said]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("cut", http.client.IncompleteRead),
        ("truncate", json.JSONDecodeError),
        ("drop", http.client.RemoteDisconnected),
    ],
)
def test_a_single_answer_fails_in_its_own_way(scripted, name, error):
    with pytest.raises(error):
        whole(scripted, "openai", f"conf-{name}", "one two three")


@pytest.mark.parametrize("name", ["slow", "drip", "stall"])
def test_late_single_answers_are_later_than_the_timeout(scripted, name):
    begin = time.monotonic()

    answer = whole(scripted, "openai", f"conf-{name}", "one two three")

    assert answer == (200, "one two three")
    assert time.monotonic() - begin > 2 * TIMEOUT


def test_stall_says_two_tokens_before_it_is_late(scripted, nonce):
    prompt = tagged(nonce, "one two three")
    with stream(scripted, "ollama", "conf-stall", prompt) as response:
        assert scripted.wait_for_tokens(nonce, 2, SOON)
        begin = time.monotonic()
        response.read()

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
