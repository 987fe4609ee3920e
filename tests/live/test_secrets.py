"""No token, key, prompt or answer is found where it must not be: in logs, responses, requests to upstreams, command lines."""

import json
import sys
from pathlib import Path

import httpx
import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import (
    NDJSON,
    OLLAMA,
    embeds,
    refuses,
    says,
    stream,
)
from processes import gunicorn_command, listening
from reference import client_of, http_request, receive_all, reference

FAULTY = Path(__file__).with_name("faulty.py")

TOKEN = "tok-3c1d9e"
WRONG_TOKEN = "wrong-77aa02"
UPSTREAM_KEY = "key-f09b4c"
PROMPT = "prompt-58be6d"
ANSWER = "answer-9a2e71"

LOGGED_NOWHERE = [TOKEN, WRONG_TOKEN, UPSTREAM_KEY, PROMPT, ANSWER]
ANSWERED_NOWHERE = [TOKEN, WRONG_TOKEN, UPSTREAM_KEY]

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
ASK = {"model_id": "m", "input_data": PROMPT}
BATCH = {"model_id": "m", "inputs": [{"input_data": PROMPT}] * 2}
EMBED = {"model_id": "m", "input": [PROMPT]}


def waitress(*options, **env):
    command = [sys.executable, str(FAULTY), "serve", "--port", "0"]
    return listening([*command, *options], env)


def gunicorn(*options, **env):
    debug = ["--log-level", "debug", "--pythonpath", str(FAULTY.parent)]
    command = gunicorn_command(*debug, *options)
    command[-1] = "faulty:create_app()"
    return listening(command, env, "Listening at: ")


@pytest.fixture(
    params=[(waitress, "text"), (waitress, "json"), (gunicorn, "text")],
    ids=["waitress-text", "waitress-json", "gunicorn-text"],
)
def telling(request):
    """A server that logs as much as it can."""
    start, log_format = request.param
    env = {
        "OCTOMIL_API_KEYS": TOKEN,
        "OPENAI_API_KEY": UPSTREAM_KEY,
        "OCTOMIL_LOG_LEVEL": "DEBUG",
        "OCTOMIL_LOG_FORMAT": log_format,
    }
    with reference(start, **env) as server:
        yield server


def garbage(response):
    response.answer(200, f"{{{PROMPT} {response.request.headers}".encode())


FAILURES = [
    *(refuses(status, f"no {PROMPT}") for status in (401, 404, 429, 500, 503)),
    garbage,
    Response.close,
    Response.reset,
    stream(NDJSON, OLLAMA.token(ANSWER), end=Response.reset),
]

BROKEN_HTTP = {
    "a field without a colon": http_request("/inference").replace(
        b"host: localhost", f"Authorization Bearer {TOKEN}".encode()
    ),
    "a token that no header can hold": http_request(
        "/inference", authorization=f"Bearer {TOKEN}\x01"
    ),
    "a prompt for a request": json.dumps(ASK).encode() + b"\r\n\r\n",
    "a prompt for a size": http_request(
        "/inference",
        PROMPT.encode() + b"\r\n\r\n",
        authorization=f"Bearer {TOKEN}",
        transfer_encoding="chunked",
        content_length="",
    ).replace(b"content-length: \r\n", b""),
    "a prompt that breaks off": http_request(
        "/inference",
        PROMPT.encode(),
        authorization=f"Bearer {TOKEN}",
        content_length="99",
    ),
    "a token for a coding": http_request("/inference", transfer_encoding=TOKEN),
    "a head that breaks off": f"GET / HTTP/1.1\r\nX-API-Key: {TOKEN}\r\n".encode(),
}


def ask_everything(server, headers):
    """Sends requests to each endpoint and returns the responses as text, with their headers."""
    texts = []
    with client_of(server.url, headers) as client:
        for path, body in [
            ("/inference", ASK),
            ("/inference/stream", ASK),
            ("/inference/batch", BATCH),
            ("/embeddings", EMBED),
            ("/inference", {**ASK, "model_id": "bug"}),
            ("/inference/batch", {**BATCH, "model_id": "bug"}),
            ("/inference", {**ASK, "messages": PROMPT}),
            ("/inference", {**ASK, "parameters": {"seed": PROMPT}}),
            ("/nowhere", ASK),
        ]:
            try:
                answer = client.post(path, json=body)
                texts.append(f"{answer.status_code} {answer.headers} {answer.text}")
            except httpx.RemoteProtocolError:
                pass  # a stream that was cut
        texts.append(client.post("/inference", content=f'{{"{PROMPT}'.encode()).text)
        texts.append(client.get("/inference/health").text)
    return texts


def send_raw(server, data):
    with server.connect() as connection:
        connection.sendall(data)
        connection.shutdown(1)
        receive_all(connection)


def play_everything(server):
    """All responses of a server to its clients, with healthy and with failing upstreams."""
    for path in ("/v1/chat/completions", "/v1/embeddings"):
        server.openai.on(path, refuses(400, f"bad key {UPSTREAM_KEY}"))
    server.ollama.on("/api/chat", says(*ANSWER))
    server.ollama.on("/api/embed", embeds)
    told = ask_everything(server, AUTHORIZED)
    told += ask_everything(server, {"Authorization": f"Bearer {WRONG_TOKEN}"})
    told += ask_everything(server, {"X-API-Key": WRONG_TOKEN})
    for failure in FAILURES:
        for path in ("/api/chat", "/api/embed"):
            server.ollama.on(path, failure)
        told += ask_everything(server, AUTHORIZED)
    server.ollama.stop_listening()
    server.openai.stop_listening()
    return told + ask_everything(server, AUTHORIZED)


def test_nothing_secret_is_ever_written_or_answered(telling):
    told = "\n".join(play_everything(telling))

    assert ANSWER in told
    assert '"internal_error"' in told
    assert "bad key (not shown)" in told
    assert [secret for secret in ANSWERED_NOWHERE if secret in told] == []
    upstream = telling.ollama.requests + telling.openai.requests
    sent = "".join(f"{request.headers} {request.body!r}" for request in upstream)
    assert UPSTREAM_KEY in sent
    assert TOKEN not in sent, "the client's token stays here"
    # A server may quote a malformed request to its sender, but not in its log.
    for data in BROKEN_HTTP.values():
        send_raw(telling, data)
    telling.process.terminate()
    lines = telling.process.all_lines()
    assert any("ZeroDivisionError" in line for line in lines)
    leaks = [line for x in LOGGED_NOWHERE for line in lines if x in line]
    assert leaks == []
    paths = [*Path(__file__).parents[2].joinpath("octomil_ref").rglob("*.py")]
    assert [path for path in paths if str(path) in told] == []
