"""Which backend answers when the first one cannot, over real connections: every kind of failure, cooldown, the pool."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dialects import (
    NDJSON,
    ollama_chat,
    ollama_embed,
    ollama_error,
    ollama_version,
    openai_chat,
    openai_embeddings,
    openai_error,
    openai_models,
    stall,
    stream,
    vector_of,
)
from processes import serve
from reference import ASK, PATIENCE, Reference, new_id, reference
from upstreams import Call, Script

CHAT = "/api/chat"
OPENAI_CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Reference]:
    """One kind of server will do: what is tested lies behind it."""
    with reference(serve) as server:
        yield server


@pytest.fixture(scope="module")
def shared_impatient_server() -> Iterator[Reference]:
    with reference(serve, LLM_BACKEND_TIMEOUT="2") as server:
        yield server


def both_answer(server: Reference) -> None:
    """Both backends are well; the test says what else happens."""
    server.ollama.on(CHAT, ollama_chat(["From Ollama"]))
    server.ollama.on("/api/embed", ollama_embed())
    server.ollama.on("/api/version", ollama_version)
    server.openai.on(OPENAI_CHAT, openai_chat(["From OpenAI"]))
    server.openai.on("/v1/embeddings", openai_embeddings())
    server.openai.on("/v1/models", openai_models)


# What counts as unavailable


def cut_off(call: Call) -> None:
    """Half of what it announced, and the end of the connection."""
    call.head(200, content_type="application/json", content_length="200")
    call.send(b'{"message": {"content": "From')


FALLS_BACK: dict[str, Script] = {
    "500": ollama_error(500, "llama runner process has terminated"),
    "502": ollama_error(502, "bad gateway"),
    "503": ollama_error(503, "server busy, please try again"),
    "429": ollama_error(429, "slow down"),
    "408": ollama_error(408, "too slow"),
    "404": ollama_error(404, "model 'smollm2' not found"),
    "401": ollama_error(401, "unauthorized"),
    "403 without a body": lambda call: call.answer(403, b""),
    "garbage": lambda call: call.answer(200, b"<html>It works!</html>"),
    "nothing": lambda call: call.answer(200, b""),
    "JSON of another shape": lambda call: call.json(200, {"output": "From Ollama"}),
    "a JSON array": lambda call: call.json(200, ["From Ollama"]),
    "not done": ollama_chat(["From"], done=False),
    "an error in a 200": lambda call: call.json(200, {"error": "runner died"}),
    "a redirect": lambda call: call.answer(302, b"", location="/elsewhere"),
    "cut off": cut_off,
    "hangs up": Call.close,
    "resets": Call.reset,
    "no HTTP": lambda call: call.send(b"SSH-2.0-OpenSSH_9.2\r\n"),
}


@pytest.mark.parametrize("script", FALLS_BACK.values(), ids=FALLS_BACK)
def test_a_failure_of_the_first_backend_is_answered_by_the_second(
    server: Reference, script: Script
) -> None:
    both_answer(server)
    server.ollama.on(CHAT, script)

    answer = server.ask()

    assert answer.status_code == 200
    assert answer.json()["output"] == "From OpenAI"
    assert answer.json()["provider"] == "openai"
    assert len(server.ollama.requests) == 1, "a fresh connection is not retried"


@pytest.mark.parametrize(
    "script", [FALLS_BACK["500"], FALLS_BACK["garbage"], ollama_error(404, "no model")]
)
def test_embeddings_fall_back_too(server: Reference, script: Script) -> None:
    both_answer(server)
    server.ollama.on("/api/embed", script)

    answer = server.ask("/embeddings", {"model_id": "m", "input": ["a", "b"]}).json()

    assert answer["provider"] == "openai"
    assert answer["embeddings"] == [vector_of("a"), vector_of("b")]


def test_missing_vectors_fall_back(server: Reference) -> None:
    both_answer(server)
    server.ollama.on(
        "/api/embed", lambda call: call.json(200, {"embeddings": [[0.5, 0.5]]})
    )

    answer = server.ask("/embeddings", {"model_id": "m", "input": ["a", "b"]})

    assert answer.json()["provider"] == "openai"


@pytest.mark.parametrize("path", ["/inference", "/inference/stream"])
def test_a_refused_connection_falls_back(server: Reference, path: str) -> None:
    both_answer(server)
    server.ollama.stop_listening()

    answer = server.ask(path)

    assert answer.status_code == 200
    assert '"provider":"openai"' in answer.text


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "invalid message content type: <nil>", "invalid_input"),
        (400, "smollm2 does not support chat", "unsupported_modality"),
        (400, "input exceeds maximum context length", "context_too_large"),
        (500, 'option "temperature" must be of type float32', "invalid_input"),
        (418, "I am a teapot", "invalid_input"),
    ],
)
def test_a_request_that_is_at_fault_does_not_fall_back(
    server: Reference, status: int, message: str, code: str
) -> None:
    both_answer(server)
    server.ollama.on(CHAT, ollama_error(status, message))

    answer = server.ask()

    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert message in answer.json()["message"]
    assert server.openai.requests == []


def test_each_backend_is_asked_in_its_own_words(server: Reference) -> None:
    both_answer(server)
    server.ollama.on(CHAT, ollama_error(500, "broken"))
    parameters = {"max_tokens": 7, "stop": ".", "keep_alive": "1m"}

    server.ask(body={**ASK, "model_id": "phi-4-mini", "parameters": parameters})

    (first,), (second,) = server.ollama.requests, server.openai.requests
    assert first.json["model"] == "phi4-mini"
    assert first.json["options"] == {"num_predict": 7, "stop": ["."]}
    assert first.json["keep_alive"] == "1m"
    assert first.json["think"] is False
    assert second.json["model"] == "phi-4-mini"
    assert (second.json["max_tokens"], second.json["stop"]) == (7, ["."])
    assert "authorization" not in first.headers | second.headers, "ours stays here"


# Time


def test_a_backend_that_does_not_answer_in_time_is_given_up(
    impatient_server: Reference,
) -> None:
    both_answer(impatient_server)
    over = threading.Event()
    impatient_server.ollama.on(CHAT, lambda call: (stall(call), over.set()))

    answer = impatient_server.ask()

    assert answer.json()["provider"] == "openai"
    assert over.wait(PATIENCE), "the connection is closed, so the model can stop"


def test_a_backend_that_sends_no_token_in_time_is_given_up(
    impatient_server: Reference,
) -> None:
    both_answer(impatient_server)
    impatient_server.ollama.on(
        CHAT, lambda call: (call.start_chunked(NDJSON), stall(call))
    )

    with impatient_server.stream() as events:
        events.rest()

    assert events.text() == "From OpenAI"


def test_a_body_that_drips_is_given_up_all_the_same(
    impatient_server: Reference,
) -> None:
    """Each byte comes in time, the answer does not."""

    def script(call: Call) -> None:
        call.head(200, content_type="application/json", content_length="1000")
        call.drip(b" " * 1000, pause=0.1)

    both_answer(impatient_server)
    impatient_server.ollama.on(CHAT, script)

    answer = impatient_server.ask()

    assert answer.json()["provider"] == "openai"


def test_a_head_that_drips_is_given_up_all_the_same(
    impatient_server: Reference,
) -> None:
    dripped_to_the_end: list[bool] = []

    def script(call: Call) -> None:
        call.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, pause=0.1)
        dripped_to_the_end.append(True)

    both_answer(impatient_server)
    impatient_server.ollama.on(CHAT, script)

    answer = impatient_server.ask()

    assert answer.json()["provider"] == "openai"
    assert not dripped_to_the_end


# Nobody is left


def failed(server: Reference) -> Any:
    """The envelope of the answer to a request, checked against its headers."""
    request_id = new_id()
    answer = server.ask(**{"X-Request-Id": request_id})
    envelope = answer.json()
    assert envelope["status_code"] == answer.status_code
    assert envelope["request_id"] == request_id == answer.headers["x-request-id"]
    assert server.log_of(request_id)["error"] == envelope["code"]
    return envelope | {"retry_after": answer.headers.get("retry-after")}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            ollama_error(500, "a"),
            openai_error(503, "Loading model"),
            (503, "service_unavailable", "server_error", True, "1"),
        ),
        (
            ollama_error(503, "a"),
            openai_error(429, "slow down", retry_after="17"),
            (429, "rate_limited", "rate_limited", True, "17"),
        ),
        (
            ollama_error(503, "a"),
            openai_error(401, "Invalid API Key"),
            (503, "service_unavailable", "server_error", True, "1"),
        ),
        (
            ollama_error(404, "a"),
            openai_error(401, "Invalid API Key"),
            (502, "bad_gateway", "cloud_provider_auth_failed", False, None),
        ),
        (
            ollama_error(503, "a"),
            openai_error(404, "no such model"),
            (503, "service_unavailable", "server_error", True, "1"),
        ),
        (
            ollama_error(404, "a"),
            openai_error(404, "no such model"),
            (404, "not_found", "model_not_found", False, None),
        ),
        (
            ollama_error(404, "a"),
            openai_error(500, "Compute error"),
            (502, "bad_gateway", "inference_failed", True, None),
        ),
    ],
    ids=[
        "500 503",
        "503 429",
        "503 401",
        "404 401",
        "503 404",
        "404 404",
        "404 500",
    ],
)
def test_when_all_fail_the_most_telling_failure_is_the_answer(
    server: Reference, first: Script, second: Script, expected: tuple[Any, ...]
) -> None:
    server.ollama.on(CHAT, first)
    server.openai.on(OPENAI_CHAT, second)

    envelope = failed(server)

    names = ("status_code", "error", "code", "retryable", "retry_after")
    assert tuple(envelope[name] for name in names) == expected


def test_when_all_are_down_it_is_a_503_that_tells_no_address(
    server: Reference,
) -> None:
    server.ollama.stop_listening()
    server.openai.stop_listening()

    envelope = failed(server)

    assert envelope["status_code"] == 503
    assert envelope["retryable"] is True
    assert "127.0.0.1" not in json.dumps(envelope)
    assert str(server.openai.port) not in json.dumps(envelope)


def test_when_none_answers_in_time_it_is_a_504(impatient_server: Reference) -> None:
    impatient_server.ollama.stop_listening()
    impatient_server.openai.on(OPENAI_CHAT, stall)

    envelope = failed(impatient_server)

    assert envelope["status_code"] == 504
    assert envelope["code"] == "request_timeout"


# Cooldown


def test_a_backend_that_was_not_reached_is_passed_over_but_tried_before_giving_up() -> (
    None
):
    with reference(serve, OCTOMIL_BACKEND_COOLDOWN="3600") as server:
        both_answer(server)
        server.ollama.stop_listening()
        during = server.ask().json()["provider"]
        server.ollama.listen_again()

        afterwards = server.ask().json()["provider"]
        passed_over = server.ollama.requests == []
        server.openai.stop_listening()
        as_a_last_resort = server.ask().json()["provider"]
        server.openai.listen_again()
        once_it_answered = server.ask().json()["provider"]

    assert (during, afterwards) == ("openai", "openai")
    assert passed_over
    assert as_a_last_resort == "ollama"
    assert once_it_answered == "ollama"


@pytest.mark.parametrize("way", ["waitress", "gunicorn"])
def test_a_backend_is_asked_first_again_some_time_after_its_outage(way: str) -> None:
    with reference(serve, way, OCTOMIL_BACKEND_COOLDOWN="0.5") as server:
        both_answer(server)
        server.ollama.stop_listening()
        assert server.ask().json()["provider"] == "openai"
        server.ollama.listen_again()

        for _ in range(1000):
            if server.ask().json()["provider"] == "ollama":
                break
            threading.Event().wait(0.02)

        assert server.ask().json()["provider"] == "ollama"


@pytest.mark.parametrize("way", ["waitress", "gunicorn"])
def test_the_only_backend_is_asked_again_as_soon_as_it_is_back(way: str) -> None:
    with reference(serve, way, openai=False, OCTOMIL_BACKEND_COOLDOWN="3600") as server:
        both_answer(server)
        before = server.ask().status_code
        server.ollama.stop_listening()
        during = [server.ask().status_code for _ in range(3)]
        server.ollama.listen_again()

        afterwards = [server.ask().status_code for _ in range(3)]
        with server.stream() as events:
            events.rest()

    assert before == 200
    assert during == [503] * 3
    assert afterwards == [200] * 3
    assert events.seen[-1]["done"] is True


# Connections


def connections(server: Reference) -> list[tuple[int, int]]:
    """(connection, how many requests on it) of what Ollama was asked."""
    return [(r.connection_id, r.nth_on_connection) for r in server.ollama.requests]


def test_requests_of_every_kind_share_one_connection(server: Reference) -> None:
    both_answer(server)

    server.ask()
    with server.stream() as events:
        events.rest()
    server.ask("/embeddings", {"model_id": "m", "input": "a"})
    server.ask("/inference/batch", {"model_id": "m", "inputs": [{"input_data": "Hi"}]})
    server.ask()

    assert connections(server) == [(1, nth) for nth in range(1, 6)]


def test_refusals_do_not_cost_the_connection(server: Reference) -> None:
    server.ollama.on(CHAT, ollama_error(400, "no"), ollama_chat())

    server.ask()
    server.ask()

    assert connections(server) == [(1, 1), (1, 2)]


def test_connections_that_were_closed_in_the_pool_are_not_missed(
    server: Reference,
) -> None:
    both_answer(server)
    server.ask()

    server.ollama.drop_idle()
    answer = server.ask()

    assert answer.json()["provider"] == "ollama"
    assert connections(server) == [(1, 1), (2, 1)]


@pytest.mark.parametrize("death", [Call.close, Call.reset])
@pytest.mark.parametrize("path", ["/inference", "/inference/stream"])
def test_a_pooled_connection_that_dies_is_retried_once(
    server: Reference, path: str, death: Script
) -> None:
    server.ollama.on(CHAT, ollama_chat(), death, ollama_chat(["Again"]))
    server.ask()

    answer = server.ask(path)

    assert "Again" in answer.text
    assert connections(server) == [(1, 1), (1, 2), (2, 1)]


def test_a_second_death_in_a_row_falls_back(server: Reference) -> None:
    both_answer(server)
    server.ollama.on(CHAT, ollama_chat(), Call.close, Call.close)
    server.ask()

    answer = server.ask()

    assert answer.json()["provider"] == "openai"
    assert connections(server) == [(1, 1), (1, 2), (2, 1)]


def test_a_pooled_connection_that_dies_in_mid_answer_is_not_retried(
    server: Reference,
) -> None:
    both_answer(server)
    server.ollama.on(CHAT, ollama_chat(), stream(NDJSON, b'{"mess', end=Call.close))
    server.ask()

    answer = server.ask()

    assert answer.json()["provider"] == "openai"
    assert connections(server) == [(1, 1), (1, 2)]


# Health


def test_health_tells_which_backends_can_be_asked() -> None:
    with reference(serve) as server:
        both_answer(server)
        server.ollama.stop_listening()
        answer = server.client.get("/inference/health", headers={"Authorization": ""})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["provider"]) == (
        "degraded",
        "openai",
    )
    states = {b["provider"]: b["status"] for b in answer.json()["backends"]}
    assert states == {"ollama": "unavailable", "openai": "ok"}
    assert "127.0.0.1" not in answer.text


def test_health_probes_side_by_side_and_does_not_wait_for_ever() -> None:
    with reference(serve) as server:
        comings_and_goings: list[str] = []

        def probe(call: Call) -> None:
            comings_and_goings.append("in")
            stall(call)
            comings_and_goings.append("out")

        server.ollama.on("/api/version", probe)
        server.openai.on("/v1/models", probe)
        answer = server.client.get("/inference/health")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert comings_and_goings[:2] == ["in", "in"]


def test_liveness_does_not_depend_on_backends(server: Reference) -> None:
    server.ollama.stop_listening()
    server.openai.stop_listening()

    answers = [server.client.get(url) for url in (f"{server.url}/health", "/health")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(answer.json()["status"] == "ok" for answer in answers)
