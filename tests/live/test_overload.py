"""OCTOMIL_MAX_INFLIGHT: at the limit the next request is refused at once, health still answers, and places become free again."""

import threading
from contextlib import ExitStack

import pytest
from octomil_conformance.backend.scripts import says
from processes import gunicorn, serve, waitress_serve
from reference import reference

PLACES = 4
BATCH = {"model_id": "m", "inputs": [{"input_data": "Hi"}]}
EMBED = {"model_id": "m", "input": "Hi"}

WAYS = {
    "serve": (serve, ["waitress", "--threads", "8"], {}),
    "serve by gunicorn": (serve, ["gunicorn", "--threads", "8"], {}),
    "gunicorn -c": (gunicorn, ["--threads", "8"], {}),
    "waitress-serve": (waitress_serve, [], {"OCTOMIL_MAX_INFLIGHT": "4"}),
}
"""Each has four places: by OCTOMIL_MAX_INFLIGHT, or because four of its eight threads are spare."""


@pytest.fixture(scope="module", params=WAYS)
def shared_server(request):
    start, options, env = WAYS[request.param]
    with reference(start, *options, **env) as server:
        yield server


def fill(server, stack):
    """Takes every place with a stream that has brought its first token."""
    streams = [stack.enter_context(server.stream()) for _ in range(PLACES)]
    for events in streams:
        events.next()
    return streams


def ask_until_admitted(server):
    """Asks again while it gets a 503: a place is free a moment after its stream has ended."""
    for _ in range(1000):
        answer = server.ask("/inference/stream")
        if answer.status_code != 503:
            return answer
        threading.Event().wait(0.02)
    raise TimeoutError("no place became free")


def test_streams_take_all_places_and_give_them_back_when_they_end(server):
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
