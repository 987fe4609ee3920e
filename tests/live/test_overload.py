"""When all places are taken: the next request is told so at once, health still answers, and places are given back."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, embeds, says
from octomil_conformance.backend.upstream import Script
from processes import gunicorn, serve, waitress_serve
from reference import ASK, PATIENCE, Events, Reference, Start, new_id, reference

PLACES = 4

WAYS: dict[str, tuple[Start, list[str], dict[str, str]]] = {
    "serve": (serve, ["waitress", "--threads", "8"], {}),
    "serve by gunicorn": (serve, ["gunicorn", "--threads", "8"], {}),
    "gunicorn -c": (gunicorn, ["--threads", "8"], {}),
    "waitress-serve": (waitress_serve, [], {"OCTOMIL_MAX_INFLIGHT": "4"}),
}
"""Each has four places: by OCTOMIL_MAX_INFLIGHT, or because four of its eight threads are spare."""


@pytest.fixture(scope="module", params=WAYS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    start, options, env = WAYS[request.param]
    with reference(start, *options, **env) as server:
        yield server


def fill(server: Reference, stack: ExitStack) -> list[Events]:
    """Takes every place with a stream that has brought its first token."""
    streams = [stack.enter_context(server.stream()) for _ in range(PLACES)]
    for events in streams:
        events.next()
    return streams


def ask_until_admitted(server: Reference) -> Any:
    """A place is given back a moment after its stream ended."""
    for _ in range(1000):
        answer = server.ask("/inference/stream")
        if answer.status_code != 503:
            return answer
        threading.Event().wait(0.02)
    raise TimeoutError("no place was given back")


def test_streams_take_all_places_and_give_them_back_when_they_end(
    server: Reference,
) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))

    with ExitStack() as stack:
        streams = fill(server, stack)

        refused = [
            server.ask("/inference"),
            server.ask("/inference/stream"),
            server.ask("/inference/batch", BATCH),
            server.ask("/embeddings", EMBED),
        ]
        malformed = server.ask("/inference", {})
        health = [
            server.client.get(url)
            for url in (f"{server.url}/health", "/health", "/inference/health")
        ]
        asked_upstream = len(server.ollama.requests)
        gate.set()
        texts = ["".join(e["token"] for e in events.rest()) for events in streams]

    for answer in refused:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"] == "service_unavailable"
        assert answer.json()["retryable"] is True
    assert malformed.status_code == 400, "no place is needed to find a fault"
    assert [answer.status_code for answer in health] == [200, 200, 200]
    assert asked_upstream == PLACES + 1, "the streams and one probe"
    assert texts == ["Good morning"] * PLACES
    assert ask_until_admitted(server).status_code == 200


BATCH = {"model_id": "m", "inputs": [{"input_data": "Hi"}]}
EMBED = {"model_id": "m", "input": "Hi"}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/inference", ASK), ("/inference/batch", BATCH), ("/embeddings", EMBED)],
)
def test_requests_of_every_kind_take_places_and_health_still_answers(
    server: Reference, path: str, body: dict[str, Any]
) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", held(gate, says("Good", " morning")))
    server.ollama.on("/api/embed", held(gate, embeds))

    with ThreadPoolExecutor(PLACES) as pool:
        waiting = [pool.submit(server.ask, path, body) for _ in range(PLACES)]
        server.ollama.wait_for_requests(PLACES, PATIENCE)
        refused = server.ask(path, body)
        health = [
            server.client.get(url)
            for url in (f"{server.url}/health", "/health", "/inference/health")
        ]
        gate.set()
        answers = [each.result().status_code for each in waiting]

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert [answer.status_code for answer in health] == [200, 200, 200]
    assert answers == [200] * PLACES


def held(gate: threading.Event, script: Script) -> Script:
    """Answers when the gate opens."""

    def when_open(response: Response) -> None:
        response.wait(gate, PATIENCE)
        script(response)

    return when_open


def test_a_client_that_leaves_gives_its_place_back(server: Reference) -> None:
    left = threading.Event()

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        response.wait(left, PATIENCE)
        while not response.wait_for_hangup(timeout=0.05):
            response.chunk(OLLAMA.token(" more"))

    ended = threading.Event()
    ended.set()
    server.ollama.on(
        "/api/chat", *[script] * PLACES, says("Good", " morning", gate=ended)
    )

    with ExitStack() as stack:
        fill(server, stack)
        refused = server.ask("/inference/stream")
    left.set()

    assert refused.status_code == 503
    assert ask_until_admitted(server).status_code == 200


def test_a_stream_that_breaks_gives_its_place_back(server: Reference) -> None:
    ended = threading.Event()
    ended.set()
    server.ollama.on(
        "/api/chat",
        Response.reset,
        Response.reset,
        says("Good", " morning", gate=ended),
    )
    server.openai.on("/v1/chat/completions", Response.reset)

    failures = [server.ask("/inference").status_code for _ in range(2)]
    answers = [server.ask("/inference/stream").status_code for _ in range(2 * PLACES)]

    assert failures == [502, 502]
    assert answers == [200] * 2 * PLACES


def test_a_refusal_is_logged_as_what_it_is(server: Reference) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))
    request_id = new_id()

    with ExitStack() as stack:
        fill(server, stack)
        server.ask("/inference", ASK, **{"X-Request-Id": request_id})
        line = server.log_of(request_id)
        gate.set()

    assert line["status"] == 503
    assert line["error"] == "server_error"
