"""Real OpenAI-compatible servers as the fallback: single answers, streams, embeddings and errors."""

import json
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from installed import environment, npm_packages
from models import LlamaCpp
from octomil_conformance.backend import embed
from processes import URL, ServerProcess, free_port, serve
from reference import MAX_WAIT, MODEL_MAX_WAIT, TOKEN, UNHURRIED, reference

pytestmark = pytest.mark.machine


LITELLM_KEY = "sk-of-the-proxy-0123456789"

PORTKEY = {
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # With later versions the gateway cannot change the headers of a response, and its streams fail.
    "overrides": {"@hono/node-server": "1.13.8"},
}


@contextmanager
def running_litellm(upstream, ours):
    """The base URL of a LiteLLM with the model of `upstream`, `LlamaCpp.model`, and with two of our server's."""
    home = environment("litellm", "litellm[proxy]==1.108.7")
    config = home / "config.json"
    models = [
        _model(LlamaCpp.model, upstream, "none"),
        *(_model(name, ours, TOKEN) for name in ("conf-echo", "conf-http-404")),
    ]
    settings = {"master_key": LITELLM_KEY}
    config.write_text(json.dumps({"model_list": models, "general_settings": settings}))
    command = [str(home / "bin" / "litellm"), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", "0", "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with ServerProcess(command, env) as process:
        found = process.wait_for_line(f"Uvicorn running on {URL}", timeout=180)
        yield f"{found['url']}/v1"


def _model(name, url, key):
    parameters = {"model": f"openai/{name}", "api_base": url, "api_key": key}
    return {"model_name": name, "litellm_params": parameters}


@contextmanager
def running_portkey():
    """The base URL of a Portkey gateway. The headers of each request name the provider and its address."""
    package = "node_modules/@portkey-ai/gateway"
    build = npm_packages("portkey", PORTKEY) / package / "build"
    port = free_port()
    command = ["node", str(build / "start-server.js"), f"--port={port}", "--headless"]
    # It forwards only to those private addresses that this variable names.
    with ServerProcess(command, {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}) as process:
        process.wait_for_line("Ready for connections")
        yield f"http://127.0.0.1:{port}/v1"


@dataclass(frozen=True)
class Compatible:
    """A real server, and the settings that octomil-ref needs to use it."""

    endpoint: str
    model: str
    env: Mapping[str, str] = field(default_factory=dict)


def ollama_v1(request, stack):
    ollama = request.getfixturevalue("ollama")
    return Compatible(f"{ollama.url}/v1", ollama.model)


def llama(request, stack):
    llama_cpp = request.getfixturevalue("llama_cpp")
    return Compatible(f"{llama_cpp.url}/v1", llama_cpp.model)


def litellm(request, stack):
    """LiteLLM starts slowly, so that one process is both: a server behind ours, and a client of ours."""
    behind = llama(request, stack)
    ours = request.getfixturevalue("shared")()
    running = running_litellm(behind.endpoint, f"{ours.url}/v1")
    endpoint = stack.enter_context(running)
    return Compatible(endpoint, behind.model, {"OPENAI_API_KEY": LITELLM_KEY})


def portkey(request, stack):
    behind = llama(request, stack)
    endpoint = stack.enter_context(running_portkey())
    headers = f"x-portkey-provider: openai, x-portkey-custom-host: {behind.endpoint}"
    return Compatible(endpoint, behind.model, {"OPENAI_API_HEADERS": headers})


SERVERS = [ollama_v1, llama, litellm, portkey]


def only(*servers):
    """Limits a test to these servers, because the others do not show the behaviour."""
    return pytest.mark.parametrize("compatible", servers, indirect=True, ids=name)


def name(start):
    return start.__name__


@pytest.fixture(scope="module", params=SERVERS, ids=name)
def compatible(request):
    start = request.param
    with ExitStack() as stack:
        yield start(request, stack)


@pytest.fixture(scope="module")
def server(compatible):
    """octomil-ref with the compatible server as the fallback, while Ollama is down."""
    yield from in_front_of(compatible)


def in_front_of(compatible, **env):
    settings = {**UNHURRIED, **compatible.env, **env}
    settings.setdefault("OPENAI_API_ENDPOINT", compatible.endpoint)
    with reference(serve, **settings) as server:
        server.ollama.stop_listening()
        server.client.timeout = MODEL_MAX_WAIT
        yield server


def asked(compatible, **more):
    parameters = {"max_tokens": 4, "temperature": 0, "top_k": 5, "keep_alive": "5m"}
    messages = [{"role": "user", "content": "Name three fruits."}]
    body = {"model_id": compatible.model, "messages": messages}
    return {**body, "parameters": parameters, **more}


def test_a_single_answer_comes_from_the_server(server, compatible):
    answer = server.ask("/inference", asked(compatible)).json()

    assert answer["output"]
    assert (answer["provider"], answer["finish_reason"]) == ("openai", "length")
    assert answer["usage"]["completion_tokens"] == 4
    assert answer["usage"]["prompt_tokens"] > 4
    assert "ignored_parameters" not in answer


def test_a_streamed_answer_comes_from_the_server(server, compatible):
    with server.stream(asked(compatible)) as events:
        *tokens, final = events.rest()

    assert len(tokens) > 1
    assert all(event["token"] for event in tokens)
    assert (final["done"], final["finish_reason"]) == (True, "length")
    assert final["usage"]["completion_tokens"] == 4


def test_embeddings_come_from_the_server(server, compatible):
    body = {"model_id": compatible.model, "input": ["apple", "pear", "apple"]}

    answer = server.ask("/embeddings", body).json()

    first, second, third = answer["embeddings"]
    assert len(first) == 576
    assert first == pytest.approx(third, abs=1e-3)
    assert first != pytest.approx(second, abs=1e-3)
    assert answer["usage"]["prompt_tokens"] > 0


def test_health_finds_the_server(server):
    _, state = server.client.get("/inference/health").json()["backends"]

    assert (state["provider"], state["status"]) == ("openai", "ok")
    assert "hint" not in state


@only(ollama_v1, litellm)
@pytest.mark.parametrize("path", ["/inference", "/inference/stream", "/embeddings"])
def test_a_missing_model_is_reported(server, compatible, path):
    """llama.cpp accepts any name of a model."""
    body = asked(compatible, model_id="no-such-model", input=["a"])

    answer = server.ask(path, body)

    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


@only(llama, litellm, portkey)
@pytest.mark.parametrize("path", ["/inference", "/inference/stream"])
def test_a_prompt_beyond_the_context_is_refused(server, compatible, path):
    """Ollama truncates a prompt that is too long."""
    messages = [{"role": "user", "content": "apple " * 9000}]

    answer = server.ask(path, asked(compatible, messages=messages))

    assert (answer.status_code, answer.json()["code"]) == (413, "context_too_large")


@only(llama, litellm)
def test_a_parameter_of_the_wrong_type_is_refused(server, compatible):
    """Ollama ignores parameters that it does not know, and Portkey's gateway drops them."""
    parameters = {"max_tokens": 2, "min_p": "hot"}

    answer = server.ask("/inference", asked(compatible, parameters=parameters))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "min_p" in answer.json()["message"]


def test_a_wrong_base_url_is_reported(compatible):
    wrong = {"OPENAI_API_ENDPOINT": f"{compatible.endpoint}/nowhere"}
    for server in in_front_of(compatible, **wrong):
        answer = server.ask("/inference", asked(compatible))
        health = server.client.get("/inference/health").json()
        heard = server.heard()

    assert (answer.status_code, answer.json()["code"]) == (502, "inference_failed")
    assert "check its base URL" in answer.json()["message"]
    assert "check the base URL" in health["backends"][1]["hint"]
    assert "check its base URL" in heard


@only(litellm)
def test_a_wrong_key_is_reported(compatible):
    key = "sk-another-key-9876543210"
    for server in in_front_of(compatible, OPENAI_API_KEY=key):
        answer = server.ask("/inference", asked(compatible))
        health = server.client.get("/inference/health")

    assert answer.status_code == 502
    assert answer.json()["code"] == "cloud_provider_auth_failed"
    assert key[:6] not in answer.text
    assert health.status_code == 503


@only(portkey)
def test_a_gateway_without_its_headers_is_reported(compatible):
    for server in in_front_of(compatible, OPENAI_API_HEADERS=""):
        answer = server.ask("/inference", asked(compatible))

    assert answer.status_code == 400
    assert "x-portkey-provider header is required" in answer.json()["message"]


@only(litellm)
def test_litellm_in_front_of_our_server_chats_and_embeds(compatible):
    headers = {"Authorization": f"Bearer {LITELLM_KEY}"}
    url = compatible.endpoint
    with httpx.Client(
        base_url=url, headers=headers, timeout=MAX_WAIT, trust_env=False
    ) as client:
        hello = {"messages": [{"role": "user", "content": "Good morning"}]}
        chat = {"model": "conf-echo", **hello}
        whole = client.post("/chat/completions", json=chat).json()
        stream = client.post("/chat/completions", json=chat | {"stream": True}).text
        texts = {"model": "conf-echo", "input": ["apple"]}
        vectors = client.post("/embeddings", json=texts).json()["data"]
        missing = {"model": "conf-http-404", **hello}
        refused = client.post("/chat/completions", json=missing)

    assert whole["choices"][0]["message"]["content"] == "Good morning"
    assert '"content":"Good"' in stream and '"content":" morning"' in stream
    assert vectors[0]["embedding"] == pytest.approx(embed("apple"), abs=1e-6)
    assert refused.status_code == 404
