"""Streams of the OpenAI-compatible dialect. `servers.py` has the peculiarities of single servers."""

import pytest
import responses
from builders import OPENAI, arriving, asking, openai_chunk, pieces_of, scripted, sse
from octomil_conformance.backend.scripts import raw

from octomil_ref.backends import Ending, Reasoning, Token, Usage
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import Broken

CHAT = f"{OPENAI}/chat/completions"
CHERRY = openai_chunk(content="Cherry")
STOP = openai_chunk("stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def backend() -> OpenAIBackend:
    return OpenAIBackend(OPENAI, "key", 20, {})


def streamed(*arrives: object) -> list:
    return pieces_of(backend(), CHAT, *arrives)


NO_USAGE = Ending("stop", None)
COUNTED = Ending("stop", Usage(3, 4))

USAGE_CHUNK = {"choices": [], "usage": USAGE}

CHERRY_STREAMS = {
    "chunks, a finish_reason and [DONE]": sse(CHERRY, STOP, "[DONE]"),
    "a finish_reason without [DONE]": sse(CHERRY, STOP),
    "empty chunks around": sse({"choices": []}, CHERRY, STOP, {"choices": []}),
    "text beside the finish_reason": sse(openai_chunk("stop", content="Cherry")),
    "a first chunk with only the role": sse(
        openai_chunk(role="assistant"), CHERRY, STOP
    ),
    "content that is null": sse(openai_chunk(content=None), CHERRY, STOP),
    "content that is empty": sse(openai_chunk(content=""), CHERRY, STOP),
    "a choice without delta": sse({"choices": [{}]}, CHERRY, STOP),
    "names and ids of events": b"event: message\nid: 7\n" + sse(CHERRY, STOP),
    "no newline after the last line": sse(CHERRY, STOP).rstrip(),
    "an error that is null": sse(CHERRY | {"error": None}, STOP),
    "more after [DONE]": sse(CHERRY, STOP, "[DONE]", openai_chunk(content="more")),
}


@pytest.mark.parametrize("body", CHERRY_STREAMS.values(), ids=CHERRY_STREAMS)
def test_a_stream_is_read_with(body):
    assert streamed(body) == [Token("Cherry"), NO_USAGE]


COUNTED_STREAMS = {
    "in a chunk of its own": sse(CHERRY, STOP, USAGE_CHUNK, "[DONE]"),
    "without choices and [DONE]": sse(CHERRY, STOP, {"usage": USAGE}),
    "beside the finish_reason": sse(CHERRY, STOP | {"usage": USAGE}, "[DONE]"),
    "before all text": sse(USAGE_CHUNK, CHERRY, STOP, "[DONE]"),
    "after an empty chunk": sse(CHERRY, STOP, {"choices": []}, USAGE_CHUNK),
}


@pytest.mark.parametrize("body", COUNTED_STREAMS.values(), ids=COUNTED_STREAMS)
def test_the_usage_of_a_stream_may_come(body):
    assert streamed(body) == [Token("Cherry"), COUNTED]


@pytest.mark.parametrize(
    "body",
    [
        sse(openai_chunk(reasoning_content="Hm."), CHERRY, STOP),
        sse(openai_chunk(reasoning="Hm.", content=""), CHERRY, STOP),
        sse(openai_chunk(reasoning="Hm.", content="Cherry"), STOP),
    ],
    ids=["as DeepSeek and vLLM name it", "as OpenRouter names it", "beside text"],
)
def test_reasoning_is_read(body):
    assert streamed(body) == [Reasoning(), Token("Cherry"), NO_USAGE]


def test_an_ending_does_not_wait_for_the_end_of_the_body():
    read_on = []
    body = arriving(sse(STOP, "[DONE]"), lambda: read_on.append(True))
    responses.post(CHAT, body=body)
    stream = backend().stream(asking())

    pieces = list(stream)

    assert (pieces, read_on) == ([[NO_USAGE]], [])


def test_a_stream_that_is_cut_after_its_finish_reason_is_complete():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
    with scripted(raw(head + sse(CHERRY, STOP))) as server:
        stream = OpenAIBackend(server.url, "", 20, {}).stream(asking())

        pieces = [piece for together in stream for piece in together]

    assert pieces == [Token("Cherry"), NO_USAGE]


BAD = [
    pytest.param(b"", id="the end"),
    pytest.param(sse("[DONE]"), id="[DONE] without a finish_reason"),
    pytest.param(
        sse({"error": {"message": "no", "code": 500}}), id="llama.cpp's error"
    ),
    pytest.param(
        sse({"error": {"message": "no", "type": "x", "code": None}}, "[DONE]"),
        id="vLLM's error, with [DONE] after it",
    ),
    pytest.param(
        sse(openai_chunk("error") | {"error": {"code": "server_error"}}),
        id="OpenRouter's error, beside a choice",
    ),
    pytest.param(
        sse(openai_chunk("stop", content="") | {"error": {"code": 502}}),
        id="an error beside a finish_reason",
    ),
    pytest.param(sse({"error": "no"}), id="an error that is text"),
    pytest.param(sse("garbage"), id="garbage"),
    pytest.param(sse([1]), id="an array"),
    pytest.param(sse({"choices": "x"}), id="text for choices"),
    pytest.param(sse({"choices": [7]}), id="a number for a choice"),
    pytest.param(sse({"choices": [{"delta": "x"}]}), id="text for a delta"),
    pytest.param(sse(openai_chunk(content={})), id="an object for text"),
    pytest.param(b'data: {"choices":\ndata: [\n\n', id="half of an event"),
    pytest.param(b'data: {"choices": [', id="half a line"),
    pytest.param(b"data: \xff\n\n", id="not UTF-8"),
    pytest.param(b"<html>\n", id="a web page"),
    pytest.param(b"[1]\n", id="an array outside of events"),
    pytest.param(b'{"choices": []}\n', id="no answer outside of events"),
    pytest.param(
        b'{"error": {"message": "no"}}\n' + sse(STOP, USAGE_CHUNK),
        id="an error between events",
    ),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_stream_fails_at_once_and_after_a_token_by(bad):
    for before in (b"", sse(CHERRY)):
        with pytest.raises(Broken):
            streamed(before + bad)


def test_a_refused_stream_is_closed():
    body = arriving(b'{"error":', ConnectionResetError())
    responses.post(CHAT, status=500, body=body)

    with pytest.raises(Broken):
        backend().stream(asking())

    assert body.closed
