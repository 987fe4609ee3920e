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
    frames,
    stream,
    texts,
    vectors,
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
    ("name", "said"), [("truncate", 2), ("truncate-before-first", 0)]
)
def test_truncate_ends_cleanly_without_the_end_of_an_answer(
    scripted, dialect, name, said
):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert len(texts(dialect, data)) == said
    assert b"stop" not in data
    with chat(scripted, dialect, f"conf-{name}", "one two three") as response:
        half = response.read()
    with pytest.raises(ValueError):
        json.loads(half)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "said"), [("cut", 2), ("cut-before-first", 0)])
def test_cut_breaks_the_transfer(scripted, dialect, name, said):
    with (
        stream(scripted, dialect, f"conf-{name}", "one two three") as response,
        pytest.raises(http.client.IncompleteRead) as broken,
    ):
        response.read()

    assert len(texts(dialect, broken.value.partial)) == said
    with (
        chat(scripted, dialect, f"conf-{name}", "one two three") as response,
        pytest.raises(http.client.IncompleteRead),
    ):
        response.read()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_drop_sends_no_byte(scripted, dialect):
    with (
        pytest.raises(http.client.RemoteDisconnected),
        chat(scripted, dialect, "conf-drop", "x"),
    ):
        pass


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "said"), [("garbage", 0), ("garbage-later", 2)])
def test_garbage_cannot_be_read(scripted, dialect, name, said):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert response.status == 200
    with pytest.raises(ValueError):
        frames(dialect, data)
    assert data.count(b"content") >= said


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "said"), [("error-frame", 2), ("error-frame-first", 0)]
)
def test_an_error_frame_ends_a_stream(scripted, dialect, name, said):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert len(texts(dialect, data)) == said
    assert "error" in frames(dialect, data)[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_missing_vectors_is_one_less(scripted, dialect):
    assert len(vectors(scripted, dialect, "conf-missing-vectors", ["a", "b"])) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["slow", "drip", "stall"])
def test_late_single_answers_are_later_than_the_timeout(scripted, dialect, name):
    begin = time.monotonic()

    answer = whole(scripted, dialect, f"conf-{name}", "one two three")

    assert answer == (200, "one two three")
    assert time.monotonic() - begin > 2 * TIMEOUT


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stall_says_two_tokens_before_it_is_late(scripted, dialect, nonce):
    with stream(
        scripted, dialect, "conf-stall", tagged(nonce, "one two three")
    ) as response:
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
