"""The real Python SDK, from PyPI and in an environment of its own, against the running server."""

import json
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dialects import (
    NDJSON,
    ollama_chat,
    ollama_embed,
    ollama_error,
    ollama_error_frame,
    ollama_frame,
    stream,
    vector_of,
)
from models import LlamaCpp, names_a_fruit
from processes import serve
from reference import (
    MODEL_PATIENCE,
    TOKEN,
    UNHURRIED,
    Reference,
    reference,
)
from upstreams import Call

PREAMBLE = """
import asyncio, json, os, sys
import httpx
from octomil import OctomilClient, OrgApiKeyAuth

auth = OrgApiKeyAuth(
    api_key=os.environ["TOKEN"], org_id="live", api_base=os.environ["OCTOMIL_API_BASE"]
)
client = OctomilClient(auth=auth)

def say(value):
    print("SAID", json.dumps(value), flush=True)

def fields(token):
    return [token.token, token.done, token.provider, token.latency_ms, token.session_id]
"""


@dataclass(frozen=True)
class Sdk:
    """Runs lines of Python in which `client` is the SDK's; what they `say` comes back."""

    python: Path
    home: Path

    def run(self, server: Reference, code: str, token: str = TOKEN) -> list[Any]:
        ended = subprocess.run(
            [self.python, "-c", PREAMBLE + code],
            env={
                "HOME": str(self.home),
                "OCTOMIL_API_BASE": server.api,
                "TOKEN": token,
                "OCTOMIL_DISABLE_TELEMETRY": "1",
            },
            capture_output=True,
            text=True,
            timeout=MODEL_PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return [
            json.loads(line.removeprefix("SAID "))
            for line in ended.stdout.splitlines()
            if line.startswith("SAID ")
        ]


@pytest.fixture
def sdk(sdk_python: Path, tmp_path: Path) -> Sdk:
    return Sdk(sdk_python, tmp_path)


STREAM = """
for token in client.stream_predict("m", "Hi", parameters={"max_tokens": 9}):
    say(fields(token))
"""

STREAM_ASYNC = """
async def main():
    async for token in client.stream_predict_async("m", [{"role": "user", "content": "Hi"}]):
        say(fields(token))
asyncio.run(main())
"""


@pytest.mark.parametrize("code", [STREAM, STREAM_ASYNC], ids=["sync", "async"])
def test_the_sdk_streams_every_token_and_the_end(
    server: Reference, sdk: Sdk, code: str
) -> None:
    text = ["Zwölf", " \u2028", " 🍒", "\n\ndata: x\r\n"]
    server.ollama.on("/api/chat", ollama_chat(text))

    *tokens, final = sdk.run(server, code)

    assert tokens == [[token, False, "ollama", None, None] for token in text]
    assert final[:3] == ["", True, "ollama"]
    assert final[3] > 0
    assert final[4]
    asked = server.ollama.requests[0].json
    assert asked["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_sdk_has_a_token_before_the_next_one_exists(
    server: Reference, sdk: Sdk, tmp_path: Path
) -> None:
    """It tells by a file that it has the first one; only then comes the second."""
    has_first = tmp_path / "has-first"

    def script(call: Call) -> None:
        gate = threading.Event()
        watcher = threading.Thread(target=wait_for_file, args=[has_first, gate])
        watcher.start()
        ollama_chat(["Good", " morning"], gate=gate)(call)
        watcher.join()

    server.ollama.on("/api/chat", script)

    said = sdk.run(
        server,
        f"""
for token in client.stream_predict("m", "Hi"):
    say(token.token)
    open({str(has_first)!r}, "w").close()
""",
    )

    assert said == ["Good", " morning", ""]


def wait_for_file(path: Path, found: threading.Event) -> None:
    for _ in range(1000):
        if path.exists():
            found.set()
            return
        threading.Event().wait(0.01)


def test_the_sdk_embeds(server: Reference, sdk: Sdk) -> None:
    server.ollama.on("/api/embed", ollama_embed())

    (one, several) = sdk.run(
        server,
        """
one = client.embed("m", "apple")
say([one.embeddings, one.model, one.usage.prompt_tokens, one.usage.total_tokens])
say(client.embed("m", ["apple", "pear"]).embeddings)
""",
    )

    assert one == [[vector_of("apple")], "m", 1, 1]
    assert several == [vector_of("apple"), vector_of("pear")]


FAILING = """
def attempt(function):
    try:
        say(["answered", repr(function())])
    except httpx.HTTPStatusError as error:
        say(["status", error.response.status_code])
    except Exception as error:
        say([type(error).__name__, str(error)])

async def collect():
    return [token async for token in client.stream_predict_async("m", "Hi")]

attempt(lambda: list(client.stream_predict("m", "Hi")))
attempt(lambda: asyncio.run(collect()))
"""


def test_the_sdk_raises_for_an_error_status(server: Reference, sdk: Sdk) -> None:
    server.ollama.on("/api/chat", ollama_error(503, "busy"))
    server.ollama.on("/api/embed", ollama_error(400, "no"))
    server.openai.on("/v1/chat/completions", ollama_error(503, "busy"))

    said = sdk.run(server, FAILING + 'attempt(lambda: client.embed("m", "a"))')

    assert said == [["status", 503], ["status", 503], ["status", 400]]


def test_the_sdk_raises_for_a_wrong_token(server: Reference, sdk: Sdk) -> None:
    said = sdk.run(server, FAILING, token="wrong")

    assert said == [["status", 401], ["status", 401]]


def test_the_sdk_raises_when_a_stream_is_cut(server: Reference, sdk: Sdk) -> None:
    server.ollama.on(
        "/api/chat", stream(NDJSON, ollama_frame("Good"), ollama_error_frame())
    )

    said = sdk.run(server, FAILING)

    assert [kind for kind, _ in said] == ["RemoteProtocolError"] * 2


def test_the_sdk_talks_to_a_real_model(llama_cpp: LlamaCpp, sdk: Sdk) -> None:
    with reference(
        serve, ollama=False, OPENAI_API_ENDPOINT=llama_cpp.url, **UNHURRIED
    ) as server:
        said = sdk.run(
            server,
            f"""
model = {llama_cpp.model!r}
greedy = {{"max_tokens": 16, "temperature": 0}}
tokens = list(client.stream_predict(model, "Name three fruits.", parameters=greedy))
say(["".join(token.token for token in tokens), tokens[-1].done, tokens[-1].provider])
say([len(vector) for vector in client.embed(model, ["a", "b"]).embeddings])
""",
        )

    (text, done, provider), sizes = said
    assert names_a_fruit(text)
    assert (done, provider) == (True, "openai")
    assert sizes == [576, 576]
