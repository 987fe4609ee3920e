"""The reference server with a real Ollama: what it refuses, and what happens when it dies or is busy. The suite judges its answers (`test_conformance_live.py`)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from models import names_a_fruit, own_ollama
from octomil_conformance.backend.scripts import says
from processes import serve
from reference import MAX_WAIT, MODEL_MAX_WAIT, UNHURRIED, reference

pytestmark = pytest.mark.machine

FRUITS = [{"role": "user", "content": "Name three fruits."}]

ENDLESS = {
    "format": {"type": "array", "items": {"type": "integer"}, "minItems": 500},
    "max_tokens": 4000,
}
"""Parameters of an answer that cannot end soon, because its grammar does not allow it."""


@contextmanager
def in_front_of(ollama, **options):
    """A server that knows Ollama's model by another name."""
    with reference(
        serve,
        OLLAMA_BASE_URL=ollama.url,
        OCTOMIL_MODEL_ALIASES=f"ollama:smollm2-135m={ollama.model}",
        **UNHURRIED,
        **options,
    ) as server:
        server.client.timeout = MODEL_MAX_WAIT
        yield server


@pytest.fixture(scope="module")
def server(ollama):
    """Ollama is the only backend. One kind of server is enough: both read it in the same way."""
    with in_front_of(ollama, openai=False) as server:
        yield server


def asked(**more):
    parameters = {"max_tokens": 16, "temperature": 0, "seed": 1}
    return {"model_id": "smollm2-135m", "parameters": parameters, **more}


def test_a_model_that_ollama_does_not_have_is_a_404(server):
    answer = server.ask("/inference", asked(messages=FRUITS) | {"model_id": "no-such"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "model_not_found"


def test_an_option_of_the_wrong_type_is_a_fault_of_the_request(server):
    body = asked(messages=FRUITS, parameters={"num_ctx": "many"})

    answer = server.ask("/inference", body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_input"
    assert "num_ctx" in answer.json()["message"]


def test_a_killed_ollama_is_replaced_by_llama_cpp_which_says_so(llama_cpp):
    with (
        own_ollama() as ollama,
        in_front_of(ollama, OPENAI_API_ENDPOINT=llama_cpp.url) as server,
    ):
        before = server.ask("/inference", asked(messages=FRUITS)).json()
        ollama.stop()
        after = server.ask("/inference", asked(messages=FRUITS)).json()
        with server.stream(asked(messages=FRUITS)) as events:
            events.rest()
        health = server.client.get("/inference/health").json()

    assert (before["provider"], after["provider"]) == ("ollama", "openai")
    assert names_a_fruit(before["output"])
    assert names_a_fruit(after["output"])
    assert events.seen[-1]["provider"] == "openai"
    assert (health["status"], health["provider"]) == ("degraded", "openai")


def test_a_runner_that_dies_in_mid_stream_breaks_the_transfer():
    with own_ollama() as ollama, in_front_of(ollama) as server:
        with (
            server.stream(asked(messages=FRUITS, parameters=ENDLESS)) as events,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            events.next()
            ollama.kill_runner()
            events.rest()
        # The error line, and not only a lost connection.
        server.process.wait_for_line("running the model")
        heard = server.heard()

    assert events.seen[-1]["error"]["code"] == "stream_interrupted"
    assert not any(event["done"] for event in events.seen)
    assert "Traceback" not in heard
    assert server.openai.requests == []


def test_an_ollama_that_is_busy_falls_back():
    """A long answer keeps the model busy. One request with another context size waits in the queue; the others get 503."""
    with (
        own_ollama(OLLAMA_MAX_QUEUE="1", OLLAMA_NUM_PARALLEL="1") as ollama,
        in_front_of(ollama) as server,
        ThreadPoolExecutor() as pool,
    ):
        server.openai.on("/v1/chat/completions", says("From", " OpenAI"))
        long = {"model_id": ollama.model, "messages": FRUITS, "parameters": ENDLESS}
        other = {**long, "parameters": {"num_ctx": 1024, "max_tokens": 1}}

        with server.stream(long) as events:
            events.next()
            answers = [pool.submit(server.ask, "/inference", other) for _ in range(6)]
            server.openai.wait_for_requests(2, MAX_WAIT)
        providers = [answer.result().json()["provider"] for answer in answers]

    assert providers.count("openai") >= 2
    assert providers.count("ollama") >= 1
