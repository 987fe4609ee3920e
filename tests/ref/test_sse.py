"""Server-sent events as every SDK can read them."""

import json

import pytest

from octomil_ref import sse

TOKENS = ["Cherry", "", "a\nb", "a\r\nb\r", "a\u2028b\u2029c\x85d", "\N{CHERRIES}", '"']


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_an_event_is_one_data_line_and_a_blank_line(token):
    event = sse.event({"token": token, "done": False})

    line, *rest = event.decode("utf-8").splitlines()
    assert event.endswith(b"\n\n") and rest == [""]
    assert line.startswith("data: ")
    assert json.loads(line.removeprefix("data: ")) == {"token": token, "done": False}


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_an_event_is_ascii_without_carriage_returns(token):
    event = sse.event({"token": token})

    assert event.isascii()
    assert b"\r" not in event


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_the_event_of_a_token_is_an_event_with_its_three_fields(token):
    event = sse.token(token, b'"openai"')

    fields = {"token": token, "done": False, "provider": "openai"}
    assert event == sse.event(fields)


def test_a_comment_is_one_comment_line_and_a_blank_line():
    line, *rest = sse.COMMENT.decode("ascii").splitlines()

    assert line.startswith(":")
    assert sse.COMMENT.endswith(b"\n\n") and rest == [""]


def test_the_content_type_is_that_of_an_event_stream():
    assert sse.CONTENT_TYPE == "text/event-stream"
