"""The OpenAI-compatible dialect: requests, answers, embeddings, keys that are not shown. `servers/` has the peculiarities of single servers."""

import json

import pytest
import responses
from builders import (
    OPENAI,
    arriving,
    asking,
    embedding,
    encoded,
    openai_chat,
    openai_chunk,
    pieces_of,
    scripted,
    sent,
    sse,
)
from octomil_conformance.backend.scripts import raw

from octomil_ref.backends import Embeddings, Ending, Token, Usage, openai
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import Broken, RequestRefused

CHAT = f"{OPENAI}/chat/completions"
EMBED = f"{OPENAI}/embeddings"
CHERRY = openai_chunk(content="Cherry")
STOP = openai_chunk("stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def backend(api_key: str = "key") -> OpenAIBackend:
    return OpenAIBackend(OPENAI, api_key, 20, {})


PARAMETERS = {
    "temperature": 0.5,
    "max_tokens": 5,
    "top_p": 0.9,
    "top_k": 40,
    "stop": ["."],
    "presence_penalty": -1,
    "frequency_penalty": 2,
    "think": True,
    "format": "json",
    "no_such_parameter": {"a": [1]},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("key, authorization", [("key", "Bearer key"), ("", None)])
def test_a_completion_is_requested_with_messages_parameters_and_key(
    key, authorization, stream
):
    responses.post(CHAT, body=json.dumps(openai_chat()))
    request = asking("Hi", seed=None, **PARAMETERS)

    if stream:
        backend(key).stream(request).close()
    else:
        backend(key).complete(request)

    headers = responses.calls[0].request.headers
    assert headers.get("Authorization") == authorization
    usage = {"stream_options": {"include_usage": True}}
    assert sent() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": stream,
        **PARAMETERS,
        **(usage if stream else {}),
    }


@pytest.mark.parametrize(
    "reason, read",
    [("tool_calls", "tool_calls"), ("no_such_reason", None), (None, None), (7, None)],
)
def test_a_finish_reason_is_read_if_the_api_has_it(reason, read):
    body = openai_chat()
    body["choices"][0]["finish_reason"] = reason
    responses.post(CHAT, json=body)

    completion = backend().complete(asking())

    assert completion.ending.finish_reason == read


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="without choices"),
        pytest.param({"choices": [{"message": "x"}]}, id="with text for a message"),
        pytest.param(openai_chat({"a": 1}), id="with an object for text"),
        pytest.param(openai_chat([{"type": "text", "text": 7}]), id="with a bad part"),
        pytest.param(openai_chat(True), id="with a boolean for text"),
        pytest.param([], id="that is an array"),
        pytest.param("data: x", id="that is an event without a chunk"),
    ],
)
def test_a_whole_answer_fails(body):
    responses.post(CHAT, body=body if isinstance(body, str) else json.dumps(body))

    with pytest.raises(Broken):
        backend().complete(asking())


def entry(index: object, *numbers: float) -> dict:
    return {"object": "embedding", "index": index, "embedding": list(numbers)}


@pytest.mark.parametrize("index", [int, str])
def test_embeddings_are_requested_together_as_numbers_and_put_in_order(index):
    usage = {"prompt_tokens": 6, "total_tokens": 6}
    data = [entry(index(1), 3, 4), entry(index(0), 1, 2.5)]
    responses.post(EMBED, json={"data": data, "usage": usage})

    embeddings = backend().embed(embedding("a", "b"))

    assert sent() == {"model": "m", "input": ["a", "b"], "encoding_format": "float"}
    assert embeddings == Embeddings([[1, 2.5], [3, 4]], "openai", 6)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"data": [entry(0, 1), entry(0, 2)]}, id="one index twice"),
        pytest.param({"data": [entry("a", 1), entry("b", 2)]}, id="words for an index"),
        pytest.param({"data": [entry(1, 1), entry(None, 2)]}, id="two at one place"),
        pytest.param({"data": [{"index": 0}, {"index": 1}]}, id="without vectors"),
        pytest.param({}, id="without data"),
        pytest.param({"data": [entry(0, [1], [2]), entry(1, [3])]}, id="for tokens"),
        pytest.param({"data": [{"embedding": "?"}, entry(1, 2)]}, id="not base64"),
    ],
)
def test_embeddings_fail(body):
    responses.post(EMBED, json=body)

    with pytest.raises(Broken):
        backend().embed(embedding("a", "b"))


KEY = "a-long-key"
REPEATED = {"error": {"message": f"not for {KEY}", "code": 400}}


@pytest.mark.parametrize(
    "body",
    [json.dumps(REPEATED), sse(REPEATED), sse(CHERRY, REPEATED)],
    ids=["whole answer", "first event", "later event"],
)
def test_a_key_that_the_upstream_repeats_is_not_shown(body):
    responses.post(CHAT, body=body)
    asked = backend(KEY)

    with pytest.raises(RequestRefused) as caught:
        if isinstance(body, bytes):
            list(asked.stream(asking()))
        else:
            asked.complete(asking())

    assert caught.value.message.endswith("not for (not shown)")


def refused(said: str, **credentials: object) -> str:
    """The message for the client where the upstream refuses the request like this."""
    responses.post(CHAT, status=400, json={"error": said})
    with pytest.raises(RequestRefused) as caught:
        OpenAIBackend(OPENAI, timeout=20, aliases={}, **credentials).complete(asking())
    return caught.value.message.removeprefix("The openai backend refused the request: ")


@pytest.mark.parametrize("before", [300, 305, 309, 310])
def test_no_part_of_a_key_is_shown_if_the_message_is_cut(before):
    message = refused("." * before + KEY + "." * 400, api_key=KEY)

    assert "a-" not in message
    assert len(message) == 310


def test_a_short_key_is_hidden_only_where_it_is_a_whole_word():
    message = refused("no 'end', end-7 or ending", api_key="end")

    assert message == "no '(not shown)', (not shown)-7 or ending"


def test_a_long_header_that_the_upstream_repeats_is_not_shown():
    headers = {"x-short": "not", "x-long": "a-secret-value"}

    message = refused("not for a-secret-value", api_key="", headers=headers)

    assert message == "not for (not shown)"


def streamed(*arrives: object) -> list:
    return pieces_of(backend(), CHAT, *arrives)


NO_USAGE = Ending("stop", None)
USAGE_CHUNK = {"choices": [], "usage": USAGE}
SAYS_NOTHING = [{"choices": []}, {"choices": [{}]}]
NO_ERROR = {"error": {"message": "", "code": None}}

STREAMS = {
    "chunks that say nothing": sse(*SAYS_NOTHING, CHERRY, STOP, *SAYS_NOTHING),
    "errors that are none": sse(CHERRY | {"error": None}, STOP | NO_ERROR),
    "names and ids of events": b"event: message\nid: 7\n" + sse(CHERRY, STOP),
    "usage without choices and [DONE]": sse(CHERRY, STOP, {"usage": USAGE}),
    "usage before all text": sse(USAGE_CHUNK, CHERRY, STOP, "[DONE]"),
    "usage after an empty chunk": sse(CHERRY, STOP, {"choices": []}, USAGE_CHUNK),
    "usage outside of events": sse(CHERRY, STOP) + b" " + encoded(USAGE_CHUNK),
    "usage outside of events and [DONE]": sse(CHERRY, STOP)
    + b'{ "choices": [],\n"usage": %b}\n' % encoded(USAGE)
    + sse("[DONE]"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_with(name):
    usage = Usage(3, 4) if name.startswith("usage") else None

    assert streamed(STREAMS[name]) == [Token("Cherry"), Ending("stop", usage)]


def test_an_ending_does_not_wait_for_the_end_of_the_body():
    read_on = []
    body = arriving(sse(STOP, "[DONE]"), lambda: read_on.append(True))
    responses.post(CHAT, body=body)
    stream = backend().stream(asking())

    pieces = list(stream)

    assert (pieces, read_on) == ([[NO_USAGE]], [])


def test_a_stream_without_a_finish_reason_fails_at_done():
    body = arriving(sse(CHERRY, "[DONE]"), lambda: pytest.fail("read on"))
    responses.post(CHAT, body=body)

    with pytest.raises(Broken, match="cut its answer off"):
        list(backend().stream(asking()))


def test_a_line_end_in_a_whole_answer_on_several_lines_is_kept():
    body = b'{"choices": [{"finish_reason": "stop",\n"message": {"content": "A\nB"}}]}'

    assert streamed(body) == [Token("A\nB"), NO_USAGE]


def test_a_stream_that_is_cut_after_its_finish_reason_is_complete():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
    with scripted(raw(head + sse(CHERRY, STOP))) as server:
        stream = OpenAIBackend(server.url, "", 20, {}).stream(asking())

        pieces = [piece for together in stream for piece in together]

    assert pieces == [Token("Cherry"), NO_USAGE]


BAD = {
    "the end": b"",
    "an error beside a finish_reason": sse(STOP | {"error": {"code": 502}}),
    "an error that is text": sse({"error": "no"}),
    "garbage after many names": sse("data:" * 9999 + "garbage"),
    "garbage after many quotes": sse('"' * 60_000 + "garbage"),
    "an array": sse([1]),
    "text for choices": sse({"choices": "x"}),
    "text for a delta": sse({"choices": [{"delta": "x"}]}),
    "an object for text": sse(openai_chunk(content={})),
    "half of an event": b'data: {"choices":\ndata: [\n\n',
    "half a line": b'data: {"choices": [',
    "an array outside of events": b"[1]\n",
    "no answer outside of events": b'{"choices": []}\n',
    "an error between events": b'{"error": {"message": "no"}}\n' + sse(STOP),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_stream_fails_at_once_and_after_a_token_by(bad):
    for before in (b"", sse(CHERRY)):
        with pytest.raises(Broken):
            streamed(before + bad)


def test_a_stream_fails_by_too_much_outside_of_events(monkeypatch):
    monkeypatch.setattr(openai, "MAX_STRAY", 20)

    with pytest.raises(Broken):
        streamed(sse(STOP), b"[\n" * 10, b"[\n")


def test_a_refused_stream_is_closed():
    body = arriving(b'{"error":', ConnectionResetError())
    responses.post(CHAT, status=500, body=body)

    with pytest.raises(Broken):
        backend().stream(asking())

    assert body.closed
