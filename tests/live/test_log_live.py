"""The log of a request that went wrong, under both servers: why each attempt failed, and which backend answered."""

import json
import re
import signal
import threading
from collections.abc import Callable

import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import (
    NDJSON,
    OLLAMA,
    refuses,
    says,
    stall,
    stream,
)
from octomil_conformance.backend.upstream import Script
from open_streams import OpenStream
from processes import serve
from reference import ASK, PROMPT, Reference, http_request, new_id, reference

BATCH = {
    "model_id": "conf-echo",
    "inputs": [{"input_data": PROMPT}, {"input_data": "bad"}],
}


def refuse(server: Reference) -> None:
    server.ollama.stop_listening()


def answer_by(script: Script) -> Callable[[Reference], None]:
    return lambda server: server.ollama.on("/api/chat", script)


FAILURES = {
    "refused": (refuse, "NotReached", None, "connection refused"),
    "silent": (answer_by(stall), "TimedOut", None, "no bytes in time"),
    "reset": (answer_by(Response.reset), "Broken", None, "connection reset"),
    "busy": (
        answer_by(refuses(503, "the queue is full")),
        *("Busy", 503, "the queue is full"),
    ),
    "broken": (
        answer_by(refuses(500, "CUDA out of memory")),
        *("Broken", 500, "CUDA out of memory"),
    ),
    "quoting": (
        answer_by(refuses(500, f"cannot parse '{PROMPT}'")),
        *("Broken", 500, "cannot parse '(not shown)'"),
    ),
}


@pytest.mark.parametrize(
    ("fail", "kind", "status", "detail"), FAILURES.values(), ids=FAILURES
)
def test_a_failed_attempt_is_a_warning_that_says_why(
    impatient_server: Reference,
    fail: Callable[[Reference], None],
    kind: str,
    status: int | None,
    detail: str,
) -> None:
    server = impatient_server
    fail(server)
    request_id = new_id()

    answer = server.ask(**{"X-Request-Id": request_id})

    assert answer.json()["provider"] == "openai"
    attempt, request = server.lines_of(request_id)
    assert (attempt["level"], attempt["event"]) == ("WARNING", "attempt failed")
    assert (attempt["provider"], attempt["model"]) == ("ollama", ASK["model_id"])
    assert (attempt["kind"], attempt["detail"]) == (kind, detail)
    assert attempt.get("upstream_status") == status
    assert (request["level"], request["provider"]) == ("INFO", "openai")
    assert request["fallback"] is True


def test_a_request_that_no_backend_answers_is_an_error_after_two_warnings(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", refuses(500, "first"))
    server.openai.on("/v1/chat/completions", refuses(500, "second"))
    request_id = new_id()

    server.ask(**{"X-Request-Id": request_id})

    lines = server.lines_of(request_id)
    assert [line["level"] for line in lines] == ["WARNING", "WARNING", "ERROR"]
    assert [line.get("detail") for line in lines] == ["first", "second", None]
    assert lines[-1]["status"] == 502


def test_a_stream_that_breaks_off_is_a_warning_and_an_error(server: Reference) -> None:
    broken = stream(NDJSON, OLLAMA.token("Good"), end=Response.reset)
    server.ollama.on("/api/chat", broken)
    request_id = new_id()

    with server.stream(**{"X-Request-Id": request_id}) as events:
        events.next()
        events.next()

    attempt, request = server.lines_of(request_id)
    assert (attempt["event"], attempt["level"]) == ("stream interrupted", "WARNING")
    assert (request["ended"], request["level"]) == ("interrupted", "ERROR")
    assert request["events"] == 1


def fail_if_bad(response: Response) -> None:
    is_bad = response.request.json["messages"][0]["content"] == "bad"
    (refuses(400, "no") if is_bad else says("Good", " morning"))(response)


def test_the_line_of_a_batch_says_how_many_inputs_failed(server: Reference) -> None:
    server.ollama.on("/api/chat", fail_if_bad)
    request_id = new_id()

    server.ask("/inference/batch", BATCH, **{"X-Request-Id": request_id})

    line = server.log_of(request_id)
    assert (line["failed"], line["ended"]) == (1, "complete")
    assert (line["prompt_tokens"], line["completion_tokens"]) == (2, 2)


def test_the_id_and_the_trace_of_a_request_go_to_each_upstream(
    server: Reference,
) -> None:
    server.ollama.on("/api/chat", refuses(500, "no"))
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trace = {"X-Request-Id": "my-id", "traceparent": parent, "tracestate": "a=1"}

    answer = server.ask(**trace)

    assert answer.headers["x-request-id"] == "my-id"
    for [request] in (server.ollama.requests, server.openai.requests):
        sent = {name: request.headers[name.lower()] for name in trace}
        assert sent == trace


def test_the_line_of_embeddings_has_their_tokens(server: Reference) -> None:
    request_id = new_id()

    body = {"model_id": "conf-echo", "input": ["a pear", "an apple"]}
    server.ask("/embeddings", body, **{"X-Request-Id": request_id})

    assert server.log_of(request_id)["prompt_tokens"] == 4


def test_the_line_of_a_batch_says_that_its_client_left(server: Reference) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", lambda response: response.wait(gate))
    request_id = new_id()

    with server.client.stream(
        "POST", "/inference/batch", json=BATCH, headers={"X-Request-Id": request_id}
    ) as answer:
        next(answer.iter_bytes())

    assert server.log_of(request_id)["ended"] == "client_left"
    gate.set()


OWN_LINES = {"waitress": "Task queue depth", "gunicorn": "Booting worker"}
"""A line of each server itself. waitress writes it while its only thread is busy."""


@pytest.mark.parametrize("name", OWN_LINES)
def test_every_line_of_the_log_is_json_and_has_its_time_in_utc(name: str) -> None:
    with reference(serve, name, "--threads", "1", OCTOMIL_LOG_LEVEL="DEBUG") as server:
        stream = OpenStream(server)
        stream.begin()
        with server.connect() as waiting:
            waiting.sendall(http_request("/health", method="GET"))
            server.process.wait_for_line(OWN_LINES[name])
            stream.gate.set()
            stream.end()
        server.process.signal(signal.SIGHUP)
        server.process.terminate()
        lines = server.process.all_lines()

    logged = [line for line in lines if not line.startswith("Listening on http")]
    assert len(logged) > 1
    for line in map(json.loads, logged):
        assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", line["time"])
        assert line["level"] and line["event"]
