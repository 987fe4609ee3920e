"""Batches over real sockets: order, real concurrency, piece-by-piece answers, clients that leave."""

import json
import threading
from typing import Any

import pytest
from dialects import ollama_chat, ollama_error, openai_chat, openai_error
from processes import serve
from reference import PATIENCE, Reference, http_request, new_id, reference
from upstreams import Call, Script, Upstream


def batch(*prompts: str, **more: object) -> dict[str, Any]:
    return {"model_id": "m", "inputs": [{"input_data": p} for p in prompts], **more}


def prompt_of(call: Call) -> str:
    prompt: str = call.received.json["messages"][-1]["content"]
    return prompt


def echo(call: Call) -> None:
    """Answers each prompt with itself."""
    ollama_chat([prompt_of(call)])(call)


def echo_when(gates: dict[str, threading.Event]) -> Script:
    """The same, for prompts with a gate once it is open."""

    def script(call: Call) -> None:
        gate = gates.get(prompt_of(call))
        if gate:
            call.wait(gate, PATIENCE)
        echo(call)

    return script


def wait_for_prompts(upstream: Upstream, count: int) -> set[str]:
    requests = upstream.wait_for_requests(count, PATIENCE)
    return {request.json["messages"][-1]["content"] for request in requests}


def test_results_come_in_the_order_of_the_inputs_whichever_is_ready_first(
    server: Reference,
) -> None:
    gates = {"a": threading.Event(), "b": threading.Event()}

    def script(call: Call) -> None:
        echo_when(gates)(call)
        previous = {"c": "b", "b": "a"}.get(prompt_of(call))
        if previous:
            gates[previous].set()

    server.ollama.on("/api/chat", script)

    answer = server.ask("/inference/batch", batch("a", "b", "c")).json()

    assert [result["output"] for result in answer["results"]] == ["a", "b", "c"]
    assert [result["index"] for result in answer["results"]] == [0, 1, 2]
    assert {result["provider"] for result in answer["results"]} == {"ollama"}
    assert (answer["succeeded"], answer["failed"]) == (3, 0)
    assert answer["latency_ms"] > 0


@pytest.mark.parametrize(
    ("asked", "at_once"), [(1, 1), (3, 3), (None, 4), (10_000, 32)]
)
def test_as_many_inputs_run_at_once_as_were_asked_for(
    server: Reference, asked: int | None, at_once: int
) -> None:
    gate = threading.Event()
    prompts = [str(number) for number in range(at_once + 8)]
    server.ollama.on("/api/chat", echo_when(dict.fromkeys(prompts, gate)))
    answers: list[Any] = []

    def ask() -> None:
        body = batch(*prompts, max_concurrency=asked)
        answers.append(server.ask("/inference/batch", body).json())

    client = threading.Thread(target=ask)
    client.start()
    running = wait_for_prompts(server.ollama, at_once)
    gate.set()
    client.join(PATIENCE)

    assert running == set(prompts[:at_once])
    assert server.ollama.most_at_once == at_once
    assert [result["output"] for result in answers[0]["results"]] == prompts


def test_one_failure_costs_its_neighbours_nothing(server: Reference) -> None:
    def script(call: Call) -> None:
        if prompt_of(call) == "bad":
            ollama_error(400, "I do not like this")(call)
        elif prompt_of(call) == "cut":
            call.reset()
        else:
            echo(call)

    server.ollama.on("/api/chat", script)
    server.openai.on("/v1/chat/completions", openai_error(500, "Compute error."))

    answer = server.ask("/inference/batch", batch("a", "bad", "cut", "b"))

    first, bad, cut, last = answer.json()["results"]
    assert answer.status_code == 200
    assert (first["output"], last["output"]) == ("a", "b")
    assert bad["index"] == 1
    assert bad["error"]["status_code"] == 400
    assert "I do not like this" in bad["error"]["message"]
    assert cut["error"]["status_code"] == 502
    assert cut["error"]["retryable"] is True
    assert (answer.json()["succeeded"], answer.json()["failed"]) == (2, 2)


def test_each_input_falls_back_by_itself(server: Reference) -> None:
    def script(call: Call) -> None:
        (ollama_error(503, "busy") if prompt_of(call) == "b" else echo)(call)

    server.ollama.on("/api/chat", script)
    server.openai.on("/v1/chat/completions", openai_chat(["From OpenAI"]))

    results = server.ask("/inference/batch", batch("a", "b", "c")).json()["results"]

    assert [result["provider"] for result in results] == ["ollama", "openai", "ollama"]
    assert [result["output"] for result in results] == ["a", "From OpenAI", "c"]


def test_a_result_is_written_before_the_next_one_is_ready(server: Reference) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", echo_when({"b": gate}))
    received = ""

    with server.client.stream(
        "POST", "/inference/batch", json=batch("first-output", "b")
    ) as answer:
        for piece in answer.iter_text():
            received += piece
            if '"first-output"' in received:
                gate.set()

    assert gate.is_set()
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(received)["succeeded"] == 2


def test_white_space_keeps_the_connection_awake_while_nothing_is_ready(
    server: Reference,
) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", echo_when({"a": gate}))
    received = ""

    with server.client.stream("POST", "/inference/batch", json=batch("a")) as answer:
        for piece in answer.iter_text():
            received += piece
            if received.endswith("\n"):
                gate.set()

    assert gate.is_set()
    assert json.loads(received)["results"][0]["output"] == "a"


def test_inputs_are_not_started_for_a_client_that_left(server: Reference) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", echo_when({"a": gate, "b": gate}))
    request_id = new_id()
    body = batch("a", "b", "c", "d", "e", max_concurrency=2)

    with server.connect() as connection:
        connection.sendall(
            http_request(
                "/inference/batch", json.dumps(body).encode(), x_request_id=request_id
            )
        )
        running = wait_for_prompts(server.ollama, 2)
    server.log_of(request_id)
    gate.set()
    afterwards = server.ask("/inference/batch", batch("f", "g")).json()

    assert running == {"a", "b"}
    assert afterwards["succeeded"] == 2
    assert wait_for_prompts(server.ollama, 4) == {"a", "b", "f", "g"}


def test_all_batches_of_a_process_share_one_bound() -> None:
    gate = threading.Event()
    prompts = [str(number) for number in range(6)]
    with reference(serve, OCTOMIL_BATCH_MAX_CONCURRENCY="3") as server:
        server.ollama.on("/api/chat", echo_when(dict.fromkeys(prompts, gate)))
        clients = [
            threading.Thread(target=server.ask, args=["/inference/batch", body])
            for body in (batch(*prompts), batch(*prompts))
        ]
        for client in clients:
            client.start()
        wait_for_prompts(server.ollama, 3)
        gate.set()
        for client in clients:
            client.join(PATIENCE)

        assert len(server.ollama.requests) == 12
        assert server.ollama.most_at_once == 3


def test_a_batch_of_256_inputs_is_answered_whole(server: Reference) -> None:
    prompts = [f"prompt {number}" for number in range(256)]
    server.ollama.on("/api/chat", echo)

    answer = server.ask("/inference/batch", batch(*prompts, max_concurrency=16)).json()

    assert [result["output"] for result in answer["results"]] == prompts
    assert answer["succeeded"] == 256
