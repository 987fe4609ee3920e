"""The toolbox of the live tests tells the truth."""

import http.client
import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

import httpx
import pytest
from dialects import (
    NDJSON,
    ollama_chat,
    ollama_embed,
    openai_chat,
    openai_embeddings,
    stall,
    stream,
    vector_of,
)
from models import LlamaCpp, Ollama
from processes import ServerProcess, gunicorn, serve, waitress_serve
from reference import MODEL_PATIENCE, PATIENCE
from upstreams import Call, Upstream

Client = http.client.HTTPConnection

QUESTION = {"messages": [{"role": "user", "content": "Say hi"}]}

ENDLESS = {
    "format": {"type": "array", "items": {"type": "integer"}, "minItems": 500},
    "options": {"num_predict": 4000},
}
"""Of an answer that cannot end soon: its grammar does not let it."""


@pytest.fixture
def client(upstream: Upstream) -> Iterator[Client]:
    with closing(connect(upstream)) as client:
        yield client


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=PATIENCE, trust_env=False)


def connect(upstream: Upstream) -> Client:
    return Client("127.0.0.1", upstream.port, timeout=PATIENCE)


# The scripted upstream


def test_a_request_is_recorded_as_it_was_sent(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/echo", lambda call: call.json(200, call.received.json))

    chunks = iter([b'{"a":', b" [1]}"])
    client.request("POST", "/echo?b=c", chunks, {"X-Y": "z"}, encode_chunked=True)

    assert json.load(client.getresponse()) == {"a": [1]}
    (received,) = upstream.requests
    assert (received.method, received.path) == ("POST", "/echo?b=c")
    assert received.headers["x-y"] == "z"
    assert received.body == b'{"a": [1]}'


def test_a_whole_answer_keeps_the_connection(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: call.answer(200, b"whole"))

    for _ in range(2):
        client.request("GET", "/")
        assert client.getresponse().read() == b"whole"

    ids = [(r.connection_id, r.nth_on_connection) for r in upstream.requests]
    assert ids == [(1, 1), (1, 2)]


def test_chunks_are_framed_as_http_wants_it(upstream: Upstream, client: Client) -> None:
    upstream.on("/", stream(NDJSON, b"one\n", "zwölf Boxkämpfer\n".encode()))

    client.request("GET", "/")
    response = client.getresponse()

    assert response.headers["Content-Type"] == NDJSON
    assert response.read().decode() == "one\nzwölf Boxkämpfer\n"
    client.request("GET", "/")
    assert client.getresponse().read(4) == b"one\n"
    assert upstream.requests[1].connection_id == 1


def test_a_stream_cut_in_mid_chunk_is_seen_as_incomplete(
    upstream: Upstream, client: Client
) -> None:
    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.send(b"5\r\nabc")
        call.close()

    upstream.on("/", script)

    client.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead):
        client.getresponse().read()


def test_a_reset_is_seen_as_a_reset(upstream: Upstream, client: Client) -> None:
    upstream.on("/", lambda call: call.reset())

    client.request("GET", "/")
    with pytest.raises(ConnectionResetError):
        client.getresponse()


def test_closing_before_the_first_byte_is_seen_as_no_answer(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: call.close())

    client.request("GET", "/")
    with pytest.raises(http.client.RemoteDisconnected):
        client.getresponse()


def test_a_body_without_length_ends_with_the_connection(
    upstream: Upstream, client: Client
) -> None:
    def script(call: Call) -> None:
        call.head(200, content_type="text/plain")
        call.drip(b"drop by drop")

    upstream.on("/", script)

    client.request("GET", "/")
    response = client.getresponse()

    assert response.will_close
    assert response.read() == b"drop by drop"


def test_a_gate_holds_back_all_but_the_first_frame(
    upstream: Upstream, client: Client
) -> None:
    gate = threading.Event()
    upstream.on("/", stream(NDJSON, b"one\n", b"two\n", gate=gate))

    client.request("GET", "/")
    response = client.getresponse()
    assert response.readline() == b"one\n"
    client.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.sock.recv(1, socket.MSG_PEEK)

    client.sock.settimeout(PATIENCE)
    gate.set()
    assert response.readline() == b"two\n"


def test_a_client_that_leaves_is_seen(upstream: Upstream, client: Client) -> None:
    seen: list[bool] = []
    stayed, over = threading.Event(), threading.Event()

    def script(call: Call) -> None:
        seen.append(call.wait_for_hangup(timeout=0.05))
        stayed.set()
        seen.append(call.wait_for_hangup())
        over.set()

    upstream.on("/", script)

    client.request("GET", "/")
    assert stayed.wait(PATIENCE)
    client.close()

    assert over.wait(PATIENCE)
    assert seen == [False, True]


def test_a_script_may_send_to_a_client_that_left() -> None:
    with Upstream() as upstream:
        left = threading.Event()
        upstream.on("/", lambda call: (call.wait(left), call.drip(bytes(10**6))))
        with closing(connect(upstream)) as client:
            client.request("GET", "/")
            upstream.wait_for_requests(1)
        left.set()

    assert upstream.errors == []


def test_a_script_that_explodes_fails_the_test() -> None:
    with (
        pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError)),
        Upstream() as upstream,
    ):
        upstream.on("/", lambda call: 1 // 0)
        with pytest.raises(httpx.ReadError):
            get(upstream.url)


def test_a_request_that_nobody_scripted_fails_the_test() -> None:
    with (
        pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="GET /surprise")),
        Upstream() as upstream,
        pytest.raises(httpx.ReadError),
    ):
        get(f"{upstream.url}/surprise")


def test_the_end_of_the_test_ends_scripts_that_wait() -> None:
    with Upstream() as upstream:
        upstream.on("/stall", stall)
        upstream.on("/gate", lambda call: call.wait(threading.Event(), 60))
        with closing(connect(upstream)) as one, closing(connect(upstream)) as two:
            one.request("GET", "/stall")
            two.request("GET", "/gate")
            upstream.wait_for_requests(2)
            upstream.close()

    assert upstream.errors == []
    assert upstream.most_at_once == 2


def test_scripts_take_turns_and_the_last_one_stays(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: call.json(503, 0), lambda call: call.json(200, 1))

    answers = []
    for _ in range(3):
        client.request("GET", "/")
        answers.append(json.load(client.getresponse()))

    assert answers == [0, 1, 1]


def test_in_an_outage_connections_are_refused_and_afterwards_taken(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: call.json(200, "here"))
    client.request("GET", "/")
    client.getresponse().read()

    upstream.stop_listening()
    assert client.sock.recv(1) == b"", "the idle connection is closed"
    with pytest.raises(httpx.ConnectError):
        get(upstream.url)

    upstream.listen_again()
    assert get(upstream.url).json() == "here"


def test_an_upstream_that_starts_over_is_as_new_on_the_same_port(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: call.json(200, "before"))
    client.request("GET", "/")
    client.getresponse().read()
    upstream.stop_listening()
    url = upstream.url

    upstream.start_over()
    upstream.on("/", lambda call: call.json(200, "after"))

    assert get(url).json() == "after"
    assert [request.connection_id for request in upstream.requests] == [1]


def test_starting_over_tells_what_went_wrong_so_far(
    upstream: Upstream, client: Client
) -> None:
    upstream.on("/", lambda call: 1 // 0)
    client.request("GET", "/")
    with pytest.raises(ConnectionResetError):
        client.getresponse()

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError)):
        upstream.start_over()

    assert upstream.errors == []


# The scripted answers are those of the real servers


def test_the_scripted_openai_is_like_llama_cpp(
    upstream: Upstream, llama_cpp: LlamaCpp
) -> None:
    upstream.on("/v1/chat/completions", openai_chat(["Hi", "."]))
    upstream.on("/v1/embeddings", openai_embeddings())

    assert_alike(
        openai_answers(upstream.url, llama_cpp.model),
        openai_answers(llama_cpp.url, llama_cpp.model),
        without="timings",
    )


@pytest.mark.machine
def test_the_scripted_ollama_is_like_a_real_one(
    upstream: Upstream, ollama: Ollama
) -> None:
    upstream.on("/api/chat", ollama_chat(["Hi", "."]))
    upstream.on("/api/embed", ollama_embed())

    assert_alike(
        ollama_answers(upstream.url, ollama.model),
        ollama_answers(ollama.url, ollama.model),
    )


def test_scripted_embeddings_can_come_in_any_order(upstream: Upstream) -> None:
    upstream.on("/embeddings", openai_embeddings(size=2, order=-1))

    answer = post(f"{upstream.url}/embeddings", {"model": "m", "input": ["a", "b"]})

    data = answer.json()["data"]
    assert [item["index"] for item in data] == [1, 0]
    assert data[0]["embedding"] == vector_of("b", 2)


@pytest.mark.machine
def test_a_runner_that_dies_cuts_the_stream_with_an_error_line(
    mortal_ollama: Ollama,
) -> None:
    asked = {"model": mortal_ollama.model, **QUESTION, **ENDLESS}
    url = f"{mortal_ollama.url}/api/chat"

    with httpx.stream(
        "POST", url, json=asked, timeout=MODEL_PATIENCE, trust_env=False
    ) as answer:
        lines = answer.iter_lines()
        first = json.loads(next(lines))
        mortal_ollama.kill_runner()
        last = [json.loads(line) for line in lines][-1]

    assert first["message"]["content"]
    assert list(last) == ["error"]
    assert mortal_ollama.stop() == 0


def openai_answers(url: str, model: str) -> list[dict[str, Any]]:
    """First, second and last event, usage, whole answer, embeddings."""
    asked = {"model": model, **QUESTION, "max_tokens": 2, "temperature": 0}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    text = post(f"{url}/v1/chat/completions", asked | streamed).text
    *events, end, _ = text.split("\n\n")
    assert end == "data: [DONE]"
    events = [json.loads(event.removeprefix("data: ")) for event in events]
    whole = post(f"{url}/v1/chat/completions", asked).json()
    given = {"model": model, "input": ["a", "b"]}
    vectors = post(f"{url}/v1/embeddings", given).json()
    return [*events[:2], *events[-2:], whole, vectors]


def ollama_answers(url: str, model: str) -> list[dict[str, Any]]:
    """First and last line, whole answer, embeddings."""
    asked = {
        "model": model,
        **QUESTION,
        "options": {"num_predict": 2, "temperature": 0},
    }
    lines = post(f"{url}/api/chat", asked).text.splitlines()
    whole = post(f"{url}/api/chat", asked | {"stream": False}).json()
    vectors = post(f"{url}/api/embed", {"model": model, "input": ["a", "b"]}).json()
    return [json.loads(lines[0]), json.loads(lines[-1]), whole, vectors]


def post(url: str, asked: dict[str, Any]) -> httpx.Response:
    answer = httpx.post(url, json=asked, timeout=MODEL_PATIENCE, trust_env=False)
    return answer.raise_for_status()


def assert_alike(ours: list[Any], real: list[Any], without: str = "") -> None:
    """The same fields with values of the same types, whatever the values."""
    assert [shape(answer, without) for answer in ours] == [
        shape(answer, without) for answer in real
    ]


def shape(value: Any, without: str) -> Any:
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name != without}
        return {name: shape(item, without) for name, item in kept.items()}
    if isinstance(value, list):
        return [shape(item, without) for item in value[:1]]
    return type(value).__name__


# Processes


def python(code: str, **env: str) -> ServerProcess:
    return ServerProcess([sys.executable, "-c", code], env)


def test_a_process_gets_the_environment_of_the_test_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://leak.invalid")

    with python("import os; print(sorted(os.environ))", LLM_X="1") as process:
        names = process.wait_for_line(r"\[.*\]")[0]
        assert process.wait() == 0

    assert "'LLM_X'" in names
    assert "'PATH'" in names
    assert "OLLAMA_BASE_URL" not in names


def test_a_process_ends_by_sigterm_with_the_exit_code_it_chose() -> None:
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready")
signal.pause()
"""
    with python(code) as process:
        process.wait_for_line("^ready$")
        process.terminate()
        assert process.wait() == 7


def test_waiting_for_a_line_ends_with_the_process() -> None:
    with (
        python("print('other')") as process,
        pytest.raises(TimeoutError, match="other"),
    ):
        process.wait_for_line("never", timeout=60)


def test_a_child_that_outlives_its_server_is_killed_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = """
import signal, subprocess, sys
nap = "import signal; signal.signal(15, signal.SIG_IGN); print('up'); signal.pause()"
print(subprocess.Popen([sys.executable, "-c", nap]).pid)
signal.pause()
"""
    monkeypatch.setattr(ServerProcess, "PATIENCE", 0.1)

    with (
        pytest.raises(RuntimeError, match="had to be killed"),
        python(code) as process,
    ):
        process.wait_for_line("^up$")
        process.terminate()
        assert process.wait() == -signal.SIGTERM


@pytest.mark.parametrize(
    ("start", "options"),
    [
        (serve, ["waitress"]),
        (serve, ["gunicorn"]),
        (gunicorn, []),
        (waitress_serve, []),
    ],
)
def test_every_way_to_serve_says_where(
    start: Callable[..., AbstractContextManager[ServerProcess]], options: list[str]
) -> None:
    with start(*options, OCTOMIL_API_KEYS="token") as server:
        answer = get(f"{server.url}/health")
        server.terminate()
        server.wait()

    assert answer.status_code == 200
