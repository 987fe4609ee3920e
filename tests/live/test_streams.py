"""Streams over real sockets, under waitress and gunicorn: prompt, complete, and never silently cut."""

import json
import socket
import threading
from collections.abc import Callable

import httpx
import pytest
from dialects import (
    NDJSON,
    OPENAI_END,
    SSE,
    llama_cpp_error_frame,
    ollama_chat,
    ollama_done,
    ollama_error,
    ollama_error_frame,
    ollama_frame,
    openai_chat,
    openai_frame,
    openrouter_error_frame,
    stall,
    stream,
    vllm_error_frame,
)
from reference import (
    ASK,
    PATIENCE,
    Events,
    Reference,
    http_request,
    new_id,
    receive_all,
)
from upstreams import Call, Script

BODY = json.dumps(ASK).encode()

LACKS_THE_MODEL = ollama_error(404, "model not found")
"""Lets the openai upstream answer."""


def ask_in_vain(call: Call) -> None:
    raise AssertionError("this upstream should not be asked")


# The first token is in hand before the status line


def test_nothing_is_answered_before_the_first_token(server: Reference) -> None:
    accepted, gate = threading.Event(), threading.Event()

    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        accepted.set()
        call.wait(gate, PATIENCE)
        call.chunk(ollama_frame("Good"))
        call.chunk(ollama_done())
        call.end_chunks()

    server.ollama.on("/api/chat", script)

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, connection="close"))
        assert accepted.wait(PATIENCE)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE)
        gate.set()
        answer = receive_all(connection)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"0\r\n\r\n")


FAILS_BEFORE_A_TOKEN: dict[str, Script] = {
    "hangs up": Call.close,
    "resets": Call.reset,
    "sends only a head": lambda call: call.start_chunked(NDJSON),
    "sends no token": stream(NDJSON),
    "sends blank lines": stream(NDJSON, b"\n", b"\r\n"),
    "cuts its first line": stream(NDJSON, ollama_frame("Good")[:40]),
    "sends an error frame": stream(NDJSON, ollama_error_frame()),
    "sends garbage": stream(NDJSON, b"<html>\n"),
    "sends half a chunk": lambda call: (
        call.start_chunked(NDJSON),
        call.send(b"ff\r\n" + ollama_frame("Good")[:20]),
    ),
}


@pytest.mark.parametrize(
    "script", FAILS_BEFORE_A_TOKEN.values(), ids=FAILS_BEFORE_A_TOKEN
)
def test_a_failure_before_the_first_token_falls_back(
    server: Reference, script: Script
) -> None:
    server.ollama.on("/api/chat", script)
    server.openai.on("/v1/chat/completions", openai_chat(["From", " there"]))

    with server.stream() as events:
        events.rest()

    assert events.text() == "From there"
    assert {event["provider"] for event in events.seen} == {"openai"}
    assert events.seen[-1]["done"] is True


def test_a_failure_before_the_first_token_is_an_ordinary_error_when_nobody_is_left(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", stream(NDJSON, ollama_error_frame()))
    server.openai.on("/v1/chat/completions", stream(SSE, llama_cpp_error_frame()))

    answer = server.ask("/inference/stream")

    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == "inference_failed"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_after_the_first_token_no_other_backend_is_asked(server: Reference) -> None:
    server.ollama.on("/api/chat", stream(NDJSON, ollama_frame("Good"), end=Call.close))
    server.openai.on("/v1/chat/completions", ask_in_vain)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert server.openai.requests == []


# What a good stream looks like


def test_the_head_of_a_stream_keeps_proxies_from_holding_it_back(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", ollama_chat())

    with server.stream() as events:
        events.rest()
        headers = events.response.headers

    assert events.response.status_code == 200
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers


def test_a_stream_does_not_announce_the_end_of_its_connection(
    server: Reference,
) -> None:
    """Behind `Connection: close` fetch takes a cut answer for a whole one."""
    server.ollama.on("/api/chat", ollama_chat())

    with server.stream() as events:
        events.rest()

    assert events.response.headers.get("connection", "keep-alive") == "keep-alive"


def test_a_connection_serves_the_next_request_after_a_stream(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", ollama_chat())

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY))
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(65536)
        connection.sendall(http_request("/inference", BODY, connection="close"))
        second = receive_all(connection)

    assert second.startswith(b"HTTP/1.1 200 ")


def test_a_stream_is_tokens_and_one_final_event(server: Reference) -> None:
    server.ollama.on("/api/chat", ollama_chat(["Good", " morning"]))

    with server.stream() as events:
        *tokens, final = events.rest()

    common = {"done": False, "provider": "ollama"}
    assert tokens == [{"token": "Good", **common}, {"token": " morning", **common}]
    assert final.pop("latency_ms") > 0
    assert final.pop("session_id")
    assert final == {
        "token": "",
        "done": True,
        "provider": "ollama",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
    }


def test_an_empty_generation_is_just_the_final_event(server: Reference) -> None:
    server.ollama.on("/api/chat", ollama_chat([]))

    with server.stream() as events:
        (final,) = events.rest()

    assert final["token"] == ""
    assert final["done"] is True


def test_every_character_of_a_token_is_escaped_to_ascii(server: Reference) -> None:
    text = "zwölf \u2028 \u2029 \x85 \r\n 🍒"
    server.ollama.on("/api/chat", ollama_chat([text]))

    answer = server.ask("/inference/stream")

    assert answer.content.isascii()
    assert len(answer.content.splitlines()) == 4, "two events, a line and a blank each"
    assert json.loads(answer.text.splitlines()[0][6:])["token"] == text


def test_a_client_that_speaks_http_1_0_gets_all_of_it_up_to_the_hangup(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", ollama_chat(["Good", " morning"]))

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, version="1.0"))
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")

    assert b" 200 " in head.splitlines()[0]
    assert b"transfer-encoding" not in head.lower()
    events = [json.loads(event[6:]) for event in body.split(b"\n\n")[:-1]]
    assert [event["token"] for event in events] == ["Good", " morning", ""]
    assert events[-1]["done"] is True


# Tokens leave the moment they arrive


def ollama_unchunked(tokens: list[str], gate: threading.Event) -> Script:
    frames = [ollama_frame(token) for token in tokens] + [ollama_done(len(tokens))]
    return unchunked(NDJSON, frames, gate)


def openai_unchunked(tokens: list[str], gate: threading.Event) -> Script:
    frames = [openai_frame({"content": token}) for token in tokens]
    return unchunked(SSE, [*frames, openai_frame({}, "stop"), OPENAI_END], gate)


def unchunked(content_type: str, frames: list[bytes], gate: threading.Event) -> Script:
    """A body without chunks or length, which ends with the connection."""

    def script(call: Call) -> None:
        call.head(200, content_type=content_type)
        call.send(frames[0])
        call.wait(gate, PATIENCE)
        for frame in frames[1:]:
            call.send(frame)

    return script


def openai_chunked(tokens: list[str], gate: threading.Event) -> Script:
    frames = [openai_frame({"content": token}) for token in tokens]
    end = [openai_frame({}, "stop"), OPENAI_END]
    return stream(SSE, *frames, *end, gate=gate)


def ollama_half_a_character_ahead(tokens: list[str], gate: threading.Event) -> Script:
    """The first token comes together with the next line up to the middle of its ö."""
    rest = b"".join([*map(ollama_frame, tokens[1:]), ollama_done(len(tokens))])
    cut = rest.index("ö".encode()) + 1
    first = ollama_frame(tokens[0]) + rest[:cut]
    return stream(NDJSON, first, rest[cut:], gate=gate)


@pytest.mark.parametrize(
    ("path", "scripted"),
    [
        ("ollama", lambda tokens, gate: ollama_chat(tokens, gate=gate)),
        ("ollama", ollama_unchunked),
        ("ollama", ollama_half_a_character_ahead),
        ("openai", openai_chunked),
        ("openai", openai_unchunked),
    ],
    ids=[
        "Ollama",
        "Ollama unchunked",
        "Ollama half a character ahead",
        "OpenAI",
        "OpenAI unchunked",
    ],
)
def test_a_token_is_with_the_client_before_the_next_one_exists(
    server: Reference,
    path: str,
    scripted: Callable[[list[str], threading.Event], Script],
) -> None:
    gate = threading.Event()
    script = scripted(["Good", " mörning"], gate)
    if path == "ollama":
        server.ollama.on("/api/chat", script)
    else:
        server.ollama.on("/api/chat", LACKS_THE_MODEL)
        server.openai.on("/v1/chat/completions", script)

    with server.stream() as events:
        first = events.next()
        gate.set()
        events.rest()

    assert first["token"] == "Good"
    assert events.text() == "Good mörning"
    assert events.seen[-1]["done"] is True


# However an upstream slices its bytes, the answer is the same

WORDS = ["Zwölf", " Boxkämpfer", " 🍒", " jagen"]

OLLAMA_BYTES = b"".join([*map(ollama_frame, WORDS), ollama_done(len(WORDS))])

OPENAI_BYTES = b"".join(
    [
        b": OPENROUTER PROCESSING\n\n",
        openai_frame({"role": "assistant", "content": None}),
        *(openai_frame({"content": word}) for word in WORDS),
        openai_frame({}, "stop"),
        openai_frame(usage={"prompt_tokens": 3, "completion_tokens": len(WORDS)}),
        OPENAI_END,
    ]
)


def dripped(content_type: str, data: bytes) -> Script:
    def script(call: Call) -> None:
        call.head(200, content_type=content_type)
        call.drip(data)

    return script


def dripped_in_chunks(content_type: str, data: bytes) -> Script:
    return stream(content_type, *(data[i : i + 1] for i in range(len(data))))


def at_once(content_type: str, data: bytes) -> Script:
    return lambda call: call.answer(200, data, content_type=content_type)


def with_crlf(content_type: str, data: bytes) -> Script:
    return at_once(content_type, data.replace(b"\n", b"\r\n"))


def with_crlf_dripped(content_type: str, data: bytes) -> Script:
    return dripped_in_chunks(content_type, data.replace(b"\n", b"\r\n"))


def without_the_last_newline(content_type: str, data: bytes) -> Script:
    return at_once(content_type, data.rstrip(b"\n"))


SLICINGS = [
    dripped,
    dripped_in_chunks,
    at_once,
    with_crlf,
    with_crlf_dripped,
    without_the_last_newline,
]


@pytest.mark.parametrize("slicing", SLICINGS)
def test_a_stream_of_ollama_is_understood_however_it_is_sliced(
    server: Reference, slicing: Callable[[str, bytes], Script]
) -> None:
    server.ollama.on("/api/chat", slicing(NDJSON, OLLAMA_BYTES))

    with server.stream() as events:
        events.rest()

    assert [event["token"] for event in events.seen] == [*WORDS, ""]
    assert events.seen[-1]["usage"]["completion_tokens"] == len(WORDS)


@pytest.mark.parametrize("slicing", SLICINGS)
def test_a_stream_in_openais_dialect_is_understood_however_it_is_sliced(
    server: Reference, slicing: Callable[[str, bytes], Script]
) -> None:
    server.ollama.on("/api/chat", LACKS_THE_MODEL)
    server.openai.on("/v1/chat/completions", slicing(SSE, OPENAI_BYTES))

    with server.stream() as events:
        events.rest()

    assert [event["token"] for event in events.seen] == [*WORDS, ""]
    assert events.seen[-1]["usage"]["completion_tokens"] == len(WORDS)


# A stream that breaks is seen as broken


OLLAMA_BREAKS: dict[str, Script] = {
    "cut": stream(NDJSON, ollama_frame("Good"), end=Call.close),
    "reset": stream(NDJSON, ollama_frame("Good"), end=Call.reset),
    "cut in mid-line": stream(
        NDJSON, ollama_frame("Good"), ollama_frame(" morning")[:30], end=Call.close
    ),
    "ended without the last line": stream(NDJSON, ollama_frame("Good")),
    "hung up without length": lambda call: (
        call.head(200, content_type=NDJSON),
        call.send(ollama_frame("Good")),
    ),
    "error line": stream(NDJSON, ollama_frame("Good"), ollama_error_frame()),
    "error line in one segment": stream(
        NDJSON, ollama_frame("Good") + ollama_error_frame()
    ),
    "garbage": stream(NDJSON, ollama_frame("Good"), b"<html>502</html>\n"),
    "not UTF-8": stream(NDJSON, ollama_frame("Good"), b'{"message":"\xff\xfe"}\n'),
}

OPENAI_BREAKS: dict[str, Script] = {
    "cut": stream(SSE, openai_frame({"content": "Good"}), end=Call.close),
    "silent end": stream(SSE, openai_frame({"content": "Good"})),
    "only [DONE]": stream(SSE, openai_frame({"content": "Good"}), OPENAI_END),
    "llama.cpp": stream(
        SSE, openai_frame({"content": "Good"}), llama_cpp_error_frame()
    ),
    "vLLM": stream(SSE, openai_frame({"content": "Good"}), vllm_error_frame()),
    "OpenRouter": stream(
        SSE, openai_frame({"content": "Good"}), openrouter_error_frame(), OPENAI_END
    ),
}


def assert_interrupted(events: Events, code: str = "stream_interrupted") -> None:
    """All that arrived, then the error event, and nothing that looks like an end."""
    *tokens, last = events.seen
    assert [event["token"] for event in tokens] == ["Good"]
    error = last.pop("error")
    assert last == {"token": "", "done": False, "provider": tokens[0]["provider"]}
    assert error["code"] == code
    assert error["retryable"] is True
    assert error["message"]


@pytest.mark.parametrize("script", OLLAMA_BREAKS.values(), ids=OLLAMA_BREAKS)
def test_a_stream_that_ollama_breaks_ends_with_an_error_event_and_no_end(
    server: Reference, script: Script
) -> None:
    server.ollama.on("/api/chat", script)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert_interrupted(events)


@pytest.mark.parametrize("script", OPENAI_BREAKS.values(), ids=OPENAI_BREAKS)
def test_a_stream_that_the_fallback_breaks_ends_with_an_error_event_and_no_end(
    server: Reference, script: Script
) -> None:
    server.ollama.on("/api/chat", LACKS_THE_MODEL)
    server.openai.on("/v1/chat/completions", script)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert_interrupted(events)


def test_an_upstream_that_falls_silent_breaks_the_stream(
    impatient_server: Reference,
) -> None:
    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        stall(call)

    impatient_server.ollama.on("/api/chat", script)

    with impatient_server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert_interrupted(events, "request_timeout")


def test_an_upstream_that_sends_bytes_but_no_tokens_breaks_the_stream(
    impatient_server: Reference,
) -> None:
    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        while not call.wait_for_hangup(timeout=0.1):
            call.chunk(b"\n")

    impatient_server.ollama.on("/api/chat", script)

    with impatient_server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert_interrupted(events, "request_timeout")


def test_a_broken_stream_lacks_its_last_chunk_on_the_wire(server: Reference) -> None:
    server.ollama.on("/api/chat", OLLAMA_BREAKS["error line"])

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY))
        answer = receive_all(connection)

    assert b'"error":{"code":"stream_interrupted"' in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert b'"done":true' not in answer


def test_a_broken_stream_never_says_done_over_http_1_0(server: Reference) -> None:
    server.ollama.on("/api/chat", OLLAMA_BREAKS["error line"])

    with server.connect() as connection:
        connection.sendall(http_request("/inference/stream", BODY, version="1.0"))
        answer = receive_all(connection)

    assert b'"token":"Good"' in answer
    assert b'"error":{"code":"stream_interrupted"' in answer
    assert b'"done":true' not in answer


# A client that leaves


def test_a_client_that_leaves_is_gone_for_the_upstream_within_three_frames(
    server: Reference,
) -> None:
    left, over = threading.Event(), threading.Event()
    frames_needed: list[int] = []

    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        call.wait(left, PATIENCE)
        for frame, patience in enumerate([0.3, 0.3, PATIENCE], start=1):
            call.chunk(ollama_frame(" more"))
            if call.wait_for_hangup(timeout=patience):
                frames_needed.append(frame)
                break
        over.set()

    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.stream(**{"X-Request-Id": request_id}) as events:
        events.next()
    left.set()

    assert over.wait(2 * PATIENCE)
    assert frames_needed, "the upstream still has its client after three frames"
    assert server.log_of(request_id)["ended"] == "client_left"


def test_a_client_that_only_ends_its_sending_has_not_left(server: Reference) -> None:
    ended = threading.Event()

    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        call.wait(ended, PATIENCE)
        for _ in range(5):
            call.chunk(ollama_frame(" more"))
        call.chunk(ollama_done())
        call.end_chunks()

    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.connect() as connection:
        connection.sendall(
            http_request("/inference/stream", BODY, x_request_id=request_id)
        )
        connection.shutdown(socket.SHUT_WR)
        received = connection.recv(65536)
        ended.set()
        received += receive_all(connection)

    assert received.count(b'"token":" more"') == 5
    assert b'"done":true' in received
    assert server.log_of(request_id)["ended"] == "complete"


def test_a_client_that_resets_is_gone_for_the_upstream_too(server: Reference) -> None:
    reset, over = threading.Event(), threading.Event()

    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        call.wait(reset, PATIENCE)
        while not call.wait_for_hangup(timeout=0.1):
            call.chunk(ollama_frame(" more"))
        over.set()

    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.connect() as connection:
        connection.sendall(
            http_request("/inference/stream", BODY, x_request_id=request_id)
        )
        assert connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    reset.set()

    assert over.wait(PATIENCE)
    assert server.log_of(request_id)["ended"] == "client_left"


# Thinking


def think(
    content_type: str, thought: bytes, gate: threading.Event, *rest: bytes
) -> Script:
    """Thinks until the gate opens, then sends the rest."""

    def script(call: Call) -> None:
        call.start_chunked(content_type)
        while not gate.wait(0.05):
            call.chunk(thought)
        for frame in rest:
            call.chunk(frame)
        call.end_chunks()

    return script


def test_long_thinking_commits_the_answer_and_shows_as_a_comment(
    server: Reference,
) -> None:
    gate = threading.Event()
    thought = ollama_frame(thinking="Hmm")
    script = think(NDJSON, thought, gate, ollama_frame("Good"), ollama_done())
    server.ollama.on("/api/chat", script)

    with server.stream() as events:
        comment = events.next_comment()
        gate.set()
        events.rest()

    assert "Hmm" not in comment
    assert [event["token"] for event in events.seen] == ["Good", ""]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_long_thinking_in_openais_dialect_shows_as_a_comment(
    server: Reference, field: str
) -> None:
    gate = threading.Event()
    rest = [openai_frame({"content": "Good"}), openai_frame({}, "stop"), OPENAI_END]
    server.ollama.on("/api/chat", LACKS_THE_MODEL)
    server.openai.on(
        "/v1/chat/completions", think(SSE, openai_frame({field: "Hmm"}), gate, *rest)
    )

    with server.stream() as events:
        events.next_comment()
        gate.set()
        events.rest()

    assert [event["token"] for event in events.seen] == ["Good", ""]


def test_a_failure_after_long_thinking_does_not_fall_back(server: Reference) -> None:
    gate = threading.Event()
    error = ollama_error_frame()
    script = think(NDJSON, ollama_frame(thinking="Hmm"), gate, error)
    server.ollama.on("/api/chat", script)
    server.openai.on("/v1/chat/completions", ask_in_vain)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.next_comment()
        gate.set()
        events.rest()

    assert events.seen[-1]["error"]["code"] == "stream_interrupted"


def test_a_failure_after_a_thought_falls_back(server: Reference) -> None:
    thought = ollama_frame(thinking="Hmm")
    server.ollama.on("/api/chat", stream(NDJSON, thought, end=Call.close))
    server.openai.on("/v1/chat/completions", openai_chat(["Good"]))

    with server.stream() as events:
        events.rest()

    assert [event["token"] for event in events.seen] == ["Good", ""]
    assert events.seen[0]["provider"] == "openai"


# The log line


@pytest.mark.parametrize(
    ("script", "ended", "tokens"),
    [
        (ollama_chat(["Good", " morning"]), "complete", 2),
        (OLLAMA_BREAKS["error line"], "interrupted", 1),
    ],
    ids=["complete", "interrupted"],
)
def test_a_stream_is_logged_when_it_has_ended(
    server: Reference, script: Script, ended: str, tokens: int
) -> None:
    server.ollama.on("/api/chat", script)
    request_id = new_id()

    with server.connect() as connection:
        connection.sendall(
            http_request(
                "/inference/stream",
                BODY,
                x_request_id=request_id,
                connection="close",
            )
        )
        receive_all(connection)
    line = server.log_of(request_id)

    assert line["ended"] == ended
    assert line["events"] == tokens
    assert 0 < line["first_token_ms"] <= line["duration_ms"]
    assert (line["method"], line["path"]) == ("POST", "/api/v1/inference/stream")
    assert (line["status"], line["provider"]) == (200, "ollama")
    assert line["model"] == ASK["model_id"]


def test_neither_prompts_nor_answers_nor_tokens_are_logged(server: Reference) -> None:
    answers: list[Script] = [
        ollama_chat(["answer-that-nobody-logs"]),
        stream(NDJSON, ollama_frame("answer-that-nobody-logs"), end=Call.close),
        stream(NDJSON, b'{"message": "answer-that-nobody-logs"}\n'),
    ]
    server.ollama.on("/api/chat", *answers)
    server.openai.on("/v1/chat/completions", Call.reset)
    ids = [new_id() for _ in answers]

    for request_id in ids:
        with server.stream(**{"X-Request-Id": request_id}) as events:
            try:
                events.rest()
            except httpx.RemoteProtocolError:
                pass
            except AssertionError:
                assert events.response.status_code == 502

    for request_id in ids:
        server.log_of(request_id)
    assert "answer-that-nobody-logs" not in server.heard()
