"""A streamed answer: its events, comments while a model thinks, a cut transfer, and its log record."""

import errno
import json

import pytest
from builders import new_record
from scripted_backends import Stream

from octomil_ref.backends import Ending, Reasoning, Token, Usage
from octomil_ref.errors import Broken, ClientLeft, TimedOut
from octomil_ref.streaming import EventStream, TokenEvents, TransferCut

END = Ending(None, None)


@pytest.fixture
def record():
    return new_record()


def stream(record, *pieces, failure=None, close=lambda: None):
    opened = Stream(list(pieces), failure)
    return EventStream(opened, TokenEvents("ollama"), record, close)


def data(event: bytes) -> dict:
    """The data of one event, which has one `data:` line."""
    assert event.startswith(b"data: ") and event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    return json.loads(event[6:])


def test_what_arrived_together_is_one_write(record):
    events = list(stream(record, [Reasoning(), Token("a"), Token("b")], [Token("c")]))

    comment, *tokens = events[0].split(b"\n\n")[:-1]
    assert len(events) == 2
    assert comment.startswith(b":")
    assert [data(event + b"\n\n")["token"] for event in tokens] == ["a", "b"]


def test_the_final_event_and_the_record_have_all_known_fields(record):
    ending = Ending("stop", Usage(3, 4), ("top_k", "seed"))
    events = list(stream(record, [Token("a"), Token("b")], [Token("c")], [ending]))

    final = data(events[-1])
    assert final.pop("latency_ms") >= 0
    assert final.pop("session_id")
    assert final == {
        "token": "",
        "done": True,
        "provider": "ollama",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        "ignored_parameters": ["top_k", "seed"],
    }
    assert record.ignored == "top_k,seed"
    assert (record.events, record.ended) == (3, "complete")
    assert (record.prompt_tokens, record.completion_tokens) == (3, 4)
    assert record.first_token_ms >= 0


def test_an_empty_answer_is_only_a_final_event_without_unknown_fields(record):
    [final] = map(data, stream(record, [END]))

    assert final["done"] is True
    assert final.keys() == {"token", "done", "provider", "latency_ms", "session_id"}
    assert (record.events, record.first_token_ms) == (0, None)
    assert record.completion_tokens is None


def test_there_is_at_most_one_comment_a_second(record, clock):

    def thinking():
        for _ in range(5):
            yield [Reasoning(), Reasoning()]
            clock.advance(0.5)

    opened = Stream(thinking())
    comments = list(EventStream(opened, TokenEvents("ollama"), record, lambda: None))

    assert len(comments) == 3
    assert all(comment.count(b":") == 1 for comment in comments)


@pytest.mark.parametrize(
    "failure, code",
    [
        pytest.param(Broken("It broke."), "stream_interrupted", id="broke"),
        pytest.param(TimedOut("It stalled."), "request_timeout", id="stalled"),
    ],
)
def test_the_last_event_and_the_record_say_that_the_upstream(failure, code, record):
    events = iter(stream(record, [Token("a")], failure=failure))
    next(events)

    event = data(next(events))

    assert event == {
        "token": "",
        "done": False,
        "provider": "ollama",
        "error": {"code": code, "message": failure.message, "retryable": True},
    }
    with pytest.raises(TransferCut, match=f"Errno {errno.EPIPE}"):
        next(events)
    assert (record.ended, record.error) == ("interrupted", code)


def test_when_the_client_has_left_the_transfer_ends_without_another_event(record):
    events = iter(stream(record, [Token("Che")], failure=ClientLeft()))
    next(events)

    with pytest.raises(TransferCut):
        next(events)

    assert (record.ended, record.error) == ("client_left", None)


def test_a_bug_breaks_the_transfer_too(record):
    events = iter(stream(record, [Token("a")], failure=ZeroDivisionError()))
    next(events)

    with pytest.raises(ZeroDivisionError):
        next(events)

    assert (record.ended, record.error) == ("interrupted", "server_error")


def test_later_tokens_do_not_change_the_time_of_the_first(record):
    events = iter(stream(record, [Token("a")], [Token("b")]))
    next(events)
    first = record.first_token_ms
    record.elapsed_ms = lambda: 99999.0
    next(events)

    assert record.first_token_ms == first


def test_a_client_that_leaves_is_recorded(record):
    events = stream(record, [Token("a")], [END])
    next(iter(events))

    events.close()

    assert (record.ended, record.error) == ("client_left", None)


TOKENS = ["Cherry", "", "a\nb", "a\r\nb\r", "a\u2028b\u2029c\x85d", "\N{CHERRIES}", '"']


@pytest.mark.parametrize("token", TOKENS, ids=ascii)
def test_the_event_of_a_token_is_one_data_line_of_ascii_and_a_blank_line(token):
    event = TokenEvents("openai").token(token)

    line, *rest = event.decode("ascii").splitlines()
    assert event.endswith(b"\n\n") and rest == [""] and b"\r" not in event
    fields = {"token": token, "done": False, "provider": "openai"}
    assert json.loads(line.removeprefix("data: ")) == fields
