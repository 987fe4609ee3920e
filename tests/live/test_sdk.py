"""The real Python SDK, from PyPI and in an environment of its own, against the running server."""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from octomil_conformance.backend import embed
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from reference import TOKEN, Reference

READER = """
import asyncio, json, os, signal, sys
import httpx
from octomil import OctomilClient, OrgApiKeyAuth

def say(value):
    print("SAID", json.dumps(value), flush=True)

def fields(token):
    return [token.token, token.done, token.provider, token.latency_ms, token.session_id]

def attempt(function):
    try:
        say(["answered", repr(function())])
    except httpx.HTTPStatusError as error:
        say(["status", error.response.status_code])
    except Exception as error:
        say([type(error).__name__, str(error)])

async def collect(model):
    return [token async for token in client.stream_predict_async(model, "Good morning")]

for line in sys.stdin:
    asked = json.loads(line)
    signal.alarm(300)  # an SDK that hangs ends this process
    os.environ["OCTOMIL_API_BASE"] = asked["api"]
    auth = OrgApiKeyAuth(api_key=asked["token"], org_id="live", api_base=asked["api"])
    client = OctomilClient(auth=auth)
    exec(asked["code"])
    print("DONE", flush=True)
"""
"""Runs the lines of Python that it reads. They use `client`, and `say` what they see."""


@dataclass(frozen=True)
class Sdk:
    """One process of the SDK for all tests: to import it takes seconds."""

    process: "subprocess.Popen[str]"

    def run(self, server: Reference, code: str, token: str = TOKEN) -> Iterator[Any]:
        """What the code says, as soon as it says it."""
        asked = {"api": server.api, "token": token, "code": code}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        heard = []
        for line in self.process.stdout:
            if line == "DONE\n":
                return
            if line.startswith("SAID "):
                yield json.loads(line.removeprefix("SAID "))
            heard.append(line)
        raise RuntimeError("the SDK's process ended: " + "".join(heard))


@pytest.fixture(scope="module")
def sdk(sdk_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    home = str(tmp_path_factory.mktemp("sdk"))
    with subprocess.Popen(
        [sdk_python, "-c", READER],
        env={"HOME": home, "OCTOMIL_DISABLE_TELEMETRY": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield Sdk(process)
        process.stdin.close()


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
    server.ollama.on("/api/chat", says(*text))

    *tokens, final = sdk.run(server, code)

    assert tokens == [[token, False, "ollama", None, None] for token in text]
    assert final[:3] == ["", True, "ollama"]
    assert final[3] > 0
    assert final[4]
    asked = server.ollama.requests[0].json
    assert asked["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_sdk_has_a_token_before_the_next_one_exists(
    server: Reference, sdk: Sdk
) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))

    said = sdk.run(
        server, 'for token in client.stream_predict("m", "Hi"): say(token.token)'
    )

    assert next(said) == "Good"
    gate.set()
    assert [*said] == [" morning", ""]


def test_the_sdk_embeds(server: Reference, sdk: Sdk) -> None:
    one, several = sdk.run(
        server,
        """
one = client.embed("conf-echo", "apple")
say([one.embeddings, one.model, one.usage.prompt_tokens, one.usage.total_tokens])
say(client.embed("conf-echo", ["apple", "pear"]).embeddings)
""",
    )

    assert one == [[embed("apple")], "conf-echo", 1, 1]
    assert several == [embed("apple"), embed("pear")]


ATTEMPTS = """
attempt(lambda: list(client.stream_predict("conf-503", "Good morning")))
attempt(lambda: asyncio.run(collect("conf-503")))
attempt(lambda: client.embed("conf-http-400", "a"))
"""


def test_the_sdk_raises_for_an_error_status(server: Reference, sdk: Sdk) -> None:
    refused = sdk.run(server, ATTEMPTS, token="wrong")
    assert [*refused] == [["status", 401]] * 3

    failed = sdk.run(server, ATTEMPTS)
    assert [*failed] == [["status", 503], ["status", 503], ["status", 400]]


def test_the_sdk_raises_when_a_stream_is_cut(server: Reference, sdk: Sdk) -> None:
    cut = stream(NDJSON, OLLAMA.token("Good"), OLLAMA.error_frame("runner died"))
    server.ollama.on("/api/chat", cut)

    said = sdk.run(
        server,
        """
attempt(lambda: list(client.stream_predict("m", "Good morning")))
attempt(lambda: asyncio.run(collect("m")))
""",
    )

    assert [kind for kind, _ in said] == ["RemoteProtocolError"] * 2
