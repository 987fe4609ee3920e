"""Ollama's dialect: requests, whole answers, streams, embeddings, and the time that a model has to be loaded."""

import json

import pytest
import responses
from builders import (
    OLLAMA,
    asking,
    embedding,
    ndjson,
    ollama_chat,
    ollama_line,
    pieces_of,
    sent,
)

from octomil_ref.backends import Completion, Embeddings, Ending, Reasoning, Token, Usage
from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.errors import Broken, RequestRefused
from octomil_ref.payloads import CompletionRequest, Message

CHAT = f"{OLLAMA}/api/chat"
EMBED = f"{OLLAMA}/api/embed"


def backend() -> OllamaBackend:
    return OllamaBackend(OLLAMA, 20, {})


def streamed(*arrives: object) -> list:
    return pieces_of(backend(), CHAT, *arrives)


OPTIONS = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "seed": 7,
    "stop": ["."],
    "presence_penalty": -1,
    "frequency_penalty": 2,
    "num_ctx": 4096,
    "no_such_option": {"a": [1]},
}
BESIDE = {"think": "high", "format": {"type": "object"}, "keep_alive": "5m"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_messages_and_parameters_are_placed_where_ollama_expects_them(stream):
    responses.post(CHAT, body=ndjson(ollama_chat()))
    roles = ("system", "user", "assistant", "tool")
    messages = tuple(Message(role, f"I am {role}") for role in roles)
    request = CompletionRequest("m", messages, {"max_tokens": 5, **OPTIONS, **BESIDE})

    if stream:
        backend().stream(request).close()
    else:
        backend().complete(request)

    assert sent() == {
        "model": "m",
        "messages": [{"role": role, "content": f"I am {role}"} for role in roles],
        "stream": stream,
        "options": {"num_predict": 5, **OPTIONS},
        **BESIDE,
    }


@pytest.mark.parametrize(
    ("response_format", "placed"),
    [
        ({"type": "text"}, {}),
        ({"type": "json_object"}, {"format": "json"}),
        (
            {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
            {"format": {"type": "object"}},
        ),
        # A schema without a rule allows any JSON, which is not the same as any text.
        ({"type": "json_schema", "json_schema": {"schema": {}}}, {"format": {}}),
    ],
    ids=str,
)
def test_openais_response_format_is_ollamas_format(response_format, placed):
    responses.post(CHAT, json=ollama_chat())

    backend().complete(asking("Hi", response_format=response_format))

    message = {"role": "user", "content": "Hi"}
    rest = {"model": "m", "messages": [message], "stream": False, "think": False}
    assert sent() == rest | placed


def test_a_response_format_that_ollama_cannot_have_is_refused():
    with pytest.raises(RequestRefused, match="response_format"):
        backend().complete(asking("Hi", response_format={"type": "grammar"}))

    assert not responses.calls


STOPPED = Ending("stop", None)
ANSWERS = {
    "text, an ending and counts": (
        ollama_chat(done_reason="length", prompt_eval_count=3, eval_count=4),
        Completion("Cherry", "ollama", Ending("length", Usage(3, 4))),
    ),
    "no count": (ollama_chat(), Completion("Cherry", "ollama", Ending(None, None))),
    "one count, the other being 0": (
        ollama_chat(eval_count=4),
        Completion("Cherry", "ollama", Ending(None, Usage(0, 4))),
    ),
    "thoughts, which are no part of it": (
        {**ollama_line("Cherry", thinking="Hm."), "done": True, "done_reason": "stop"},
        Completion("Cherry", "ollama", STOPPED),
    ),
    "no content": (
        {"message": {"role": "assistant"}, "done": True, "done_reason": "stop"},
        Completion("", "ollama", STOPPED),
    ),
    **{
        f"{reason!r}, which the API does not have": (
            ollama_chat(done_reason=reason),
            Completion("Cherry", "ollama", Ending(None, None)),
        )
        for reason in ("load", "", None, 7)
    },
}


@pytest.mark.parametrize("body, completion", ANSWERS.values(), ids=ANSWERS)
def test_a_whole_answer_is_read_with(body, completion):
    responses.post(CHAT, json=body)

    assert backend().complete(asking()) == completion


GARBAGE = [
    pytest.param({"message": {"content": "x"}, "done": False}, id="not done"),
    pytest.param({"message": {"content": "x"}}, id="without done"),
    pytest.param({"done": True}, id="without a message"),
    pytest.param({"message": "x", "done": True}, id="with text for a message"),
    pytest.param({"message": {"content": ["x"]}, "done": True}, id="with parts"),
    pytest.param([], id="that is an array"),
]


@pytest.mark.parametrize("body", GARBAGE)
def test_a_whole_answer_fails(body):
    responses.post(CHAT, json=body)

    with pytest.raises(Broken):
        backend().complete(asking())


CHERRY = [Token("Cherry"), Ending(None, None)]
STREAMS = {
    "a token a line, and counts in the last": (
        ndjson(
            *(ollama_line("Che"), ollama_line("rry")),
            ollama_chat("", done_reason="stop", eval_count=2),
        ),
        [Token("Che"), Token("rry"), Ending("stop", Usage(0, 2))],
    ),
    "a token in the last line": (ndjson(ollama_chat("Cherry")), CHERRY),
    "a last line without its newline": (ndjson(ollama_chat("Cherry")).rstrip(), CHERRY),
    "no done before the last line": (
        ndjson({"message": {"content": "Che"}}, ollama_chat("rry")),
        [Token("Che"), Token("rry"), CHERRY[1]],
    ),
    "no token": (ndjson(ollama_chat("", done_reason="load")), CHERRY[1:]),
    "no message in the last line": (
        ndjson(ollama_line(""), {"done": True, "done_reason": "stop"}),
        [STOPPED],
    ),
    "thoughts before a token": (
        ndjson(ollama_line("", thinking="Hm."), ollama_chat("Cherry")),
        [Reasoning(), *CHERRY],
    ),
    "a thought beside a token": (
        ndjson(ollama_line("Cherry", thinking="Hm."), ollama_chat("")),
        [Reasoning(), *CHERRY],
    ),
    "CR LF and blank lines": (
        ndjson(ollama_line("Cherry"), ollama_chat("")).replace(b"\n", b"\r\n\r\n"),
        CHERRY,
    ),
    "a character in two halves": (
        b'{"message":{"content":"a\\ud83c"},"done":false}\n'
        b'{"message":{"content":"\\udf52"},"done":false}\n' + ndjson(ollama_chat("")),
        [Token("a"), Token("\U0001f352"), CHERRY[1]],
    ),
    "half of a surrogate pair": (
        b'{"message":{"content":"a\\ud83c"},"done":true}\n',
        [Token("a\ufffd"), CHERRY[1]],
    ),
}


@pytest.mark.parametrize("sent, pieces", STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_with(sent, pieces):
    assert streamed(sent) == pieces


@pytest.mark.parametrize("sent, pieces", STREAMS.values(), ids=STREAMS)
def test_lines_instead_of_a_whole_answer_are_read_with(sent, pieces):
    responses.post(CHAT, body=sent)
    text = "".join(each.text for each in pieces if isinstance(each, Token))

    assert backend().complete(asking()) == Completion(text, "ollama", pieces[-1])


ERROR_LINES = {
    "text": b'{"error": "llama runner process has terminated"}\n',
    "an empty object": b'{"error": {}}\n',
    "an empty text": b'{"error": ""}\n',
    "an error under another name": b'{"error parsing tool call": "why"}\n',
    "garbage": b"garbage\n",
    "an array": b"[1]\n",
    "a line without done": b'{"message": {"content": "x"}}\n',
    "text for a message": b'{"message": "x", "done": false}\n',
    "a number for text": b'{"message": {"content": 7}, "done": false}\n',
    "half a line": b'{"message": {"content": "x"}, "do',
    "the end": b"",
}


@pytest.mark.parametrize("bad", ERROR_LINES.values(), ids=ERROR_LINES)
def test_a_stream_fails_at_once_and_after_a_token_by(bad):
    for before in (b"", ndjson(ollama_line("Che"))):
        with pytest.raises(Broken):
            streamed(before + bad)
        responses.post(CHAT, body=before + bad)
        with pytest.raises(Broken):
            backend().complete(asking())


@pytest.mark.parametrize("line", [{}, {"response": "A"}], ids=["", "/api/generate"])
def test_a_stream_without_any_message_is_no_answer(line):
    with pytest.raises(Broken):
        streamed(ndjson({**line, "done": False}, {**line, "done": True}))


def test_an_error_under_another_name_counts_although_an_ending_follows():
    with pytest.raises(Broken):
        streamed(ERROR_LINES["an error under another name"] + ndjson(ollama_chat("")))


def test_an_error_line_about_an_option_refuses_the_request():
    with pytest.raises(RequestRefused, match='option "seed"'):
        streamed(ndjson({"error": 'option "seed" must be of type integer'}))


@pytest.mark.parametrize("counts, tokens", [({"prompt_eval_count": 6}, 6), ({}, 0)])
def test_embeddings_are_requested_together(counts, tokens):
    responses.post(EMBED, json={"embeddings": [[1, 2.5], [1e308, 1e308]], **counts})

    embeddings = backend().embed(embedding("a", "b"))

    assert sent() == {"model": "m", "input": ["a", "b"]}
    assert embeddings == Embeddings([[1, 2.5], [1e308, 1e308]], "ollama", tokens)


def older_ollama(*vectors) -> None:
    """An Ollama that has `/api/embeddings` alone."""
    responses.post(EMBED, status=404, body="404 page not found")
    for vector in vectors:
        responses.post(f"{EMBED}dings", json={"embedding": vector})


def test_an_older_ollama_is_asked_for_one_embedding_at_a_time():
    older_ollama([1, 2.5], [3, 4])

    embeddings = backend().embed(embedding("a", "b"))

    assert [json.loads(call.request.body) for call in responses.calls][1:] == [
        {"model": "m", "prompt": "a"},
        {"model": "m", "prompt": "b"},
    ]
    assert embeddings == Embeddings([[1, 2.5], [3, 4]], "ollama", 0)


@pytest.mark.parametrize("second", [[], None, [1], ["x", 2]], ids=str)
def test_embeddings_of_an_older_ollama_fail(second):
    older_ollama([1, 2.5], second)

    with pytest.raises(Broken):
        backend().embed(embedding("a", "b"))


@pytest.mark.parametrize("body", [{"embeddings": [[1.0]]}, {}], ids=str)
def test_embeddings_fail(body):
    responses.post(EMBED, json=body)

    with pytest.raises(Broken):
        backend().embed(embedding("a", "b"))


def test_a_model_that_cannot_think_is_asked_without_think():
    cannot = {"error": '"m" does not support thinking'}
    responses.post(CHAT, status=400, json=cannot)
    responses.post(CHAT, json=ollama_chat())

    completion = backend().complete(asking(think=True, seed=7))

    assert completion.ending.ignored_parameters == ("think",)
    assert sent()["options"] == {"seed": 7}
    assert "think" not in sent()


def test_a_refusal_of_what_we_add_ourselves_is_no_parameter_of_the_client():
    responses.post(CHAT, status=400, json={"error": "invalid think value"})
    responses.post(CHAT, body=ndjson(ollama_chat()))

    [[*_, ending]] = backend().stream(asking())

    assert ending.ignored_parameters == ()
    assert "think" not in sent()


def test_null_leaves_thinking_to_the_model():
    responses.post(CHAT, json=ollama_chat())

    backend().complete(asking(think=None))

    assert "think" not in sent()


TIMEOUT, LOADING = 20.0, 60.0


def limits() -> list[tuple[str, float]]:
    """Each request so far, and its timeout in seconds."""
    return [
        (call.request.path_url, call.request.req_kwargs["timeout"][1])
        for call in responses.calls
    ]


def test_a_model_that_has_not_answered_here_may_have_to_be_loaded(clock):
    responses.post(CHAT, json=ollama_chat())
    responses.post(EMBED, json={"embeddings": [[1.0]]})
    patient = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=LOADING)

    patient.complete(asking())
    patient.embed(embedding("a"))
    patient.complete(CompletionRequest("another", (Message("user", "Hi"),), {}))

    assert limits() == [
        ("/api/chat", LOADING),
        ("/api/embed", TIMEOUT),
        ("/api/chat", LOADING),
    ]


@pytest.mark.parametrize(
    ("in_memory", "seconds"),
    [
        pytest.param({"models": [{"name": "m:latest"}]}, TIMEOUT, id="in memory"),
        pytest.param({"models": [{"name": "m:7b"}]}, LOADING, id="not in memory"),
        pytest.param({"error": "not found"}, TIMEOUT, id="not known"),
    ],
)
def test_after_five_seconds_without_an_answer_ollama_is_asked_once(
    clock, in_memory, seconds
):
    responses.post(CHAT, json=ollama_chat())
    responses.get(f"{OLLAMA}/api/ps", json=in_memory)
    patient = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=LOADING)
    patient.complete(asking())
    clock.advance(5)

    patient.complete(asking())
    patient.complete(asking())

    assert limits()[1:] == [
        ("/api/ps", 2.0),
        ("/api/chat", seconds),
        ("/api/chat", TIMEOUT),
    ]


@pytest.mark.parametrize("load_timeout", [None, TIMEOUT])
def test_without_more_time_for_loading_nothing_is_asked(clock, load_timeout):
    responses.post(CHAT, json=ollama_chat())
    backend = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=load_timeout)

    backend.complete(asking())
    clock.advance(10)
    backend.complete(asking())

    assert limits() == [("/api/chat", TIMEOUT)] * 2
