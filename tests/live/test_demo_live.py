"""`octomil-ref demo` as a process: SmolLM2 in llama.cpp, or an Ollama that runs already."""

import json
import shlex
import signal
import sys
from contextlib import contextmanager
from itertools import pairwise

import httpx
from models import weights
from octomil_conformance.backend.scripts import embeds, says
from octomil_conformance.backend.scripts import json as answers_json
from octomil_conformance.backend.upstream import Upstream
from processes import ServerProcess
from python_client import printed_when_pasted
from reference import MAX_WAIT, MODEL_MAX_WAIT, UNHURRIED


@contextmanager
def demo(*options, **env):
    """`octomil-ref demo` on a free port, without an Ollama."""
    command = [sys.executable, "-m", "octomil_ref", "demo", "--port", "0", *options]
    with ServerProcess(command, {"OLLAMA_BASE_URL": "", **UNHURRIED, **env}) as process:
        yield process


def curls(process):
    """The requests of the printed curl lines, by path."""
    requests = {}
    for line in process.lines:
        words = shlex.split(line) if line.lstrip().startswith("curl ") else []
        url = next((word for word in words if word.startswith("http")), None)
        if url is None:
            continue
        pairs = [*pairwise(words)]
        headers = [tuple(value.split(": ", 1)) for flag, value in pairs if flag == "-H"]
        data = dict(pairs).get("-d")
        method = "POST" if data else "GET"
        path = url.partition("/api/v1")[2]
        requests[path] = httpx.Request(method, url, headers=headers, content=data)
    return requests


def wait_for_guide(process):
    """The last line of it."""
    process.wait_for_line(r"print\(token\.token", timeout=120)


def test_the_demo_answers_with_its_own_model_and_ctrl_c_ends_everything():
    with demo("--gguf", str(weights())) as process:
        wait_for_guide(process)
        sent = curls(process)
        with httpx.Client(timeout=MODEL_MAX_WAIT, trust_env=False) as client:
            stream = client.send(sent["/inference/stream"])
            vectors = client.send(sent["/embeddings"]).json()["embeddings"]
        process.signal(signal.SIGINT)
        code = process.wait()

    assert '"provider":"openai"' in stream.text
    assert '"done":true' in stream.text
    assert [len(vector) for vector in vectors] == [576, 576]
    assert code == 0
    assert not any("Traceback" in line for line in process.lines)
    # Leaving the block has also proved that no child is left.


def test_the_lines_of_the_demo_work_when_pasted_and_ask_a_running_ollama_first(
    sdk_python, tmp_path
):
    weights()
    with (
        Upstream() as ollama,
        demo(OLLAMA_BASE_URL=ollama.url, OCTOMIL_API_KEYS="of-my-choice") as process,
    ):
        ollama.on("/api/chat", says("From", " Ollama"))
        ollama.on("/api/embed", embeds)
        ollama.on("/api/version", answers_json({"version": "0.5.4"}))
        wait_for_guide(process)
        sent = curls(process)
        with httpx.Client(timeout=MAX_WAIT, trust_env=False) as client:
            answers = {path: client.send(request) for path, request in sent.items()}
        printed = printed_when_pasted(sdk_python, process.lines, tmp_path)
        process.terminate()
        code = process.wait()

    assert sent["/inference"].headers["Authorization"] == "Bearer of-my-choice"
    assert set(answers) == {
        "/inference",
        "/inference/stream",
        "/inference/batch",
        "/embeddings",
        "/inference/health",
    }
    assert answers["/inference"].json()["output"] == printed == "From Ollama"
    assert '"done":true' in answers["/inference/stream"].text
    assert answers["/inference/batch"].json()["succeeded"] == 2
    assert len(answers["/embeddings"].json()["embeddings"]) == 2
    assert answers["/inference/health"].json()["status"] == "ok"
    assert ollama.requests[0].json["model"] == "smollm2:135m"
    assert code == 0


def test_the_scripted_demo_repeats_the_prompt_without_a_model():
    with demo("--scripted") as process:
        process.wait_for_line("Health:")
        asked = curls(process)["/inference"]
        with httpx.Client(timeout=MAX_WAIT, trust_env=False) as client:
            answer = client.send(asked).json()
        process.terminate()
        code = process.wait()

    assert json.loads(asked.content)["messages"][-1]["content"] == answer["output"]
    assert answer["provider"] == "ollama"
    assert code == 0


def test_the_demo_says_that_a_file_is_no_model(tmp_path):
    file = tmp_path / "bad.gguf"
    file.write_text("This is no model.")

    with demo("--gguf", str(file)) as process:
        code = process.wait()

    assert code not in (0, None)
    assert any("llama.cpp did not start" in line for line in process.lines)
