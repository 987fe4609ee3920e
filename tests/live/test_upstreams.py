"""Any bytes of an upstream over a real connection: the client gets its tokens, a fallback, or a visible failure."""

import threading
from collections.abc import Callable

import httpx
import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import (
    NDJSON,
    OLLAMA,
    OPENAI,
    SSE,
    json,
    raw,
    refuses,
    says,
    stall,
    stream,
    whole,
)
from octomil_conformance.backend.upstream import Script, Upstream
from processes import serve
from reference import ASK, PATIENCE, Reference, Shared, reference

CHAT = {"ollama": "/api/chat", "openai": "/v1/chat/completions"}
LACKS_THE_MODEL = refuses(404, "model not found")


@pytest.fixture(scope="module")
def shared_server(shared: Shared) -> Reference:
    """One kind of server is enough: both read their upstreams in the same way."""
    return shared()


def script(server: Reference, provider: str, answer: Script) -> Upstream:
    """Lets this upstream answer. An upstream before it does not have the model."""
    if provider == "openai":
        server.ollama.on(CHAT["ollama"], LACKS_THE_MODEL)
    upstream = server.ollama if provider == "ollama" else server.openai
    upstream.on(CHAT[provider], answer)
    return upstream


# Bytes that are a good stream

WORDS = ["Zwölf", " Boxkämpfer", " 🍒", " jagen"]

GOOD = {
    "ollama": [*map(OLLAMA.token, WORDS), OLLAMA.ending("stop", len(WORDS))],
    "openai": [
        b": OPENROUTER PROCESSING\n\n" + OPENAI.opening() + OPENAI.token(WORDS[0]),
        *map(OPENAI.token, WORDS[1:]),
        OPENAI.ending("stop", len(WORDS)),
    ],
}
TYPES = {"ollama": NDJSON, "openai": SSE}


def in_chunks(kind: str, frames: list[bytes], gate: threading.Event) -> Script:
    return stream(kind, *frames, gate=gate)


def until_the_end(kind: str, frames: list[bytes], gate: threading.Event) -> Script:
    """A body without chunks or length, which ends with the connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n" % kind.encode()
    return raw(head + frames[0], *frames[1:], gate=gate)


def half_a_character_ahead(
    kind: str, frames: list[bytes], gate: threading.Event
) -> Script:
    """The first frame arrives together with the next one, up to the middle of its ä."""
    rest = b"".join(frames[1:])
    cut = rest.index("ä".encode()) + 1
    return stream(kind, frames[0] + rest[:cut], rest[cut:], gate=gate)


@pytest.mark.parametrize("provider", CHAT)
@pytest.mark.parametrize("framing", [in_chunks, until_the_end, half_a_character_ahead])
def test_a_token_is_with_the_client_before_the_next_one_exists(
    server: Reference, provider: str, framing: Callable[..., Script]
) -> None:
    gate = threading.Event()
    script(server, provider, framing(TYPES[provider], GOOD[provider], gate))

    with server.stream() as events:
        first = events.next()
        gate.set()
        events.rest()

    assert first["token"] == WORDS[0]
    assert events.text() == "".join(WORDS)
    assert events.seen[-1]["done"] is True


@pytest.mark.parametrize("provider", CHAT)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CR LF"])
def test_a_stream_is_understood_byte_by_byte(
    server: Reference, provider: str, line_end: bytes
) -> None:
    data = b"".join(GOOD[provider]).replace(b"\n", line_end)
    bytes_of_it = [data[i : i + 1] for i in range(len(data))]
    script(server, provider, stream(TYPES[provider], *bytes_of_it))

    with server.stream() as events:
        events.rest()

    assert [event["token"] for event in events.seen] == [*WORDS, ""]
    assert events.seen[-1]["usage"]["completion_tokens"] == len(WORDS)


# Bytes that are a failure

HALF = b'HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{"message": {"content": "From'

FAILS: dict[str, Script] = {
    "hangs up": Response.close,
    "resets": Response.reset,
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "half of the length": raw(HALF),
    "half a chunk": raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"
    ),
    "a head without a body": stream(NDJSON),
    "blank lines": stream(NDJSON, b"\n", b"\r\n"),
    "half a line": stream(NDJSON, OLLAMA.token("Good")[:40]),
    "an error under status 200": stream(NDJSON, OLLAMA.error_frame("runner died")),
    "a thought and no more": stream(NDJSON, OLLAMA.thought("Hmm"), end=Response.close),
    "a web page": whole(b"<html>It works!</html>"),
    "an array": json(["From Ollama"]),
    "a redirect": whole(b"", 302, location="/elsewhere"),
    "403 without a body": whole(b"", 403),
}


@pytest.mark.parametrize("path", ["/inference", "/inference/stream"])
@pytest.mark.parametrize("answer", FAILS.values(), ids=FAILS)
def test_the_fallback_answers_when_ollama_fails_before_a_token(
    server: Reference, answer: Script, path: str
) -> None:
    ollama = script(server, "ollama", answer)

    response = server.ask(path)

    assert response.status_code == 200
    assert '"provider":"openai"' in response.text
    assert len(ollama.requests) == 1, "a fresh connection is not retried"


BREAKS: dict[str, tuple[str, Script]] = {
    "a close": ("ollama", stream(NDJSON, OLLAMA.token("Good"), end=Response.close)),
    "a reset": ("ollama", stream(NDJSON, OLLAMA.token("Good"), end=Response.reset)),
    "a good end without the last line": ("ollama", stream(NDJSON, OLLAMA.token("Good"))),
    "an error in the same segment": (
        "ollama",
        stream(NDJSON, OLLAMA.token("Good") + OLLAMA.error_frame("runner died")),
    ),
    "bytes that are not UTF-8": (
        "ollama",
        stream(NDJSON, OLLAMA.token("Good"), b'{"message":"\xff\xfe"}\n'),
    ),
    "only [DONE]": (
        "openai",
        stream(SSE, OPENAI.token("Good"), b"data: [DONE]\n\n"),
    ),
    "an error and [DONE], as vLLM sends it": (
        "openai",
        stream(SSE, OPENAI.token("Good") + OPENAI.error_frame("engine died"), b"data: [DONE]\n\n"),
    ),
    "an error beside choices, as OpenRouter sends it": (
        "openai",
        stream(
            SSE,
            OPENAI.token("Good"),
            b'data: {"choices": [{"delta": {"content": ""}, "finish_reason": "error"}], "error": {"message": "gone"}}\n\n',
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("provider", "answer"), BREAKS.values(), ids=BREAKS)
def test_the_client_sees_that_a_stream_broke(
    server: Reference, provider: str, answer: Script
) -> None:
    script(server, provider, answer)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    *tokens, last = events.seen
    error = last.pop("error")
    assert [event["token"] for event in tokens] == ["Good"]
    assert last == {"token": "", "done": False, "provider": provider}
    assert (error["code"], error["retryable"]) == ("stream_interrupted", True)


def test_after_long_thinking_no_other_backend_is_asked(server: Reference) -> None:
    gate = threading.Event()

    def think(response: Response) -> None:
        response.start_chunked(NDJSON)
        while not gate.wait(0.05):
            response.chunk(OLLAMA.thought("Hmm"))
        response.close()

    script(server, "ollama", think)

    with server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.next_comment()
        gate.set()
        events.rest()

    assert events.seen[-1]["error"]["code"] == "stream_interrupted"
    assert server.openai.requests == []


# Upstreams that are too slow


def test_the_server_hangs_up_on_an_upstream_that_does_not_answer(
    impatient_server: Reference,
) -> None:
    over = threading.Event()
    script(impatient_server, "ollama", lambda response: (stall(response), over.set()))

    assert impatient_server.ask().json()["provider"] == "openai"
    assert over.wait(PATIENCE), "the connection is closed, so the model can stop"


def test_headers_that_drip_do_not_extend_the_timeout(
    impatient_server: Reference,
) -> None:
    dripped_to_the_end: list[bool] = []

    def drip(response: Response) -> None:
        response.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000, pause=0.05)
        dripped_to_the_end.append(True)

    script(impatient_server, "ollama", drip)

    assert impatient_server.ask().json()["provider"] == "openai"
    assert not dripped_to_the_end


def test_bytes_without_a_token_do_not_extend_the_timeout(
    impatient_server: Reference,
) -> None:
    def blank_lines(response: Response) -> None:
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        while not response.wait_for_hangup(timeout=0.1):
            response.chunk(b"\n")

    script(impatient_server, "ollama", blank_lines)

    with impatient_server.stream() as events, pytest.raises(httpx.RemoteProtocolError):
        events.rest()

    assert events.seen[-1]["error"]["code"] == "request_timeout"


# Cooldown


def test_a_backend_that_was_not_reached_is_skipped_unless_all_others_fail() -> None:
    with reference(serve, OCTOMIL_BACKEND_COOLDOWN="3600") as server:
        providers = []
        server.ollama.stop_listening()
        providers.append(server.ask().json()["provider"])
        server.ollama.listen_again()
        providers.append(server.ask().json()["provider"])
        assert server.ollama.requests == []

        server.openai.stop_listening()
        providers.append(server.ask().json()["provider"])
        server.openai.listen_again()
        providers.append(server.ask().json()["provider"])

    assert providers == ["openai", "openai", "ollama", "ollama"]


def test_the_only_backend_is_asked_again_as_soon_as_it_is_back() -> None:
    with reference(serve, openai=False, OCTOMIL_BACKEND_COOLDOWN="3600") as server:
        statuses = [server.ask().status_code]
        server.ollama.stop_listening()
        statuses += [server.ask().status_code for _ in range(2)]
        server.ollama.listen_again()
        statuses += [
            server.ask(path).status_code for path in ("/inference", "/inference/stream")
        ]

    assert statuses == [200, 503, 503, 200, 200]


# Connections


def connections(server: Reference) -> list[tuple[int, int]]:
    """For each request to Ollama, its connection and its number on that connection."""
    return [(r.connection_id, r.nth_on_connection) for r in server.ollama.requests]


def test_requests_of_every_kind_share_one_connection(server: Reference) -> None:
    model = {"model_id": "conf-echo"}
    server.ask()
    server.ask("/inference/stream")
    server.ask("/embeddings", {**model, "input": "a"})
    server.ask("/inference/batch", {**model, "inputs": [{"input_data": "Hi"}]})
    server.ask("/inference", {**ASK, "model_id": "conf-http-400"})
    server.ask()

    assert connections(server) == [(1, nth) for nth in range(1, 7)]


@pytest.mark.parametrize("path", ["/inference", "/inference/stream"])
@pytest.mark.parametrize("death", [Response.close, Response.reset])
def test_a_request_on_a_pooled_connection_that_dies_is_retried_once(
    server: Reference, path: str, death: Script
) -> None:
    server.ollama.on(CHAT["ollama"], says("First"), death, says("Again"))
    server.ask()

    answer = server.ask(path)

    assert "Again" in answer.text
    assert connections(server) == [(1, 1), (1, 2), (2, 1)]
