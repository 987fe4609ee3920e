"""The real Python SDK, from PyPI and in an environment of its own, against the running server."""

import threading
from dataclasses import dataclass

import pytest
from octomil_conformance.backend import embed
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from python_client import PythonClient, python_client
from reference import RUNNER_DIED, TOKEN

PRELUDE = """
import asyncio, os
import httpx
from octomil import Octomil, OctomilClient, OctomilError, OrgApiKeyAuth

def connect():
    os.environ["OCTOMIL_API_BASE"] = f"{url}/api/v1"
    auth = OrgApiKeyAuth(api_key=token, org_id="live", api_base=f"{url}/api/v1")
    return OctomilClient(auth=auth)

async def hosted():
    os.environ |= {"OCTOMIL_SERVER_KEY": token, "OCTOMIL_ORG_ID": "live"}
    os.environ["OCTOMIL_API_BASE"] = f"{url}/api/v1"
    client = Octomil.hosted_from_env()
    await client.initialize()
    return client

def fields(token):
    return [token.token, token.done, token.provider, token.latency_ms, token.session_id]

def attempt(function):
    try:
        say(["answered", repr(function())])
    except httpx.HTTPStatusError as error:
        say(["status", error.response.status_code])
    except Exception as error:
        say([type(error).__name__, str(error)])

async def collect(client, model):
    return [token async for token in client.stream_predict_async(model, "Good morning")]

async def read(client, model):
    try:
        async for event in client.responses.stream(model=model, input="Good morning"):
            pass
    except (OctomilError, httpx.HTTPError) as error:
        say([type(error).__name__, str(error)])
"""


@dataclass(frozen=True)
class Sdk:
    client: PythonClient

    def run(self, server, code, client="connect()", token=TOKEN):
        """Runs code that uses `client`, and yields what it says."""
        code = f"client = {client}\n{code}"
        return self.client.run(code, url=server.url, token=token)

    def run_hosted(self, server, code):
        """The same with the facade that is for hosted models."""
        return self.run(server, code, "await hosted()")


@pytest.fixture(scope="module")
def sdk(sdk_python):
    # The import itself asks OCTOMIL_API_BASE for a catalogue. No server listens there.
    env = {"OCTOMIL_DISABLE_TELEMETRY": "1", "OCTOMIL_API_BASE": "http://127.0.0.1:9"}
    with python_client(sdk_python, PRELUDE, **env) as client:
        yield Sdk(client)


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
def test_the_sdk_streams_every_token_and_the_end(server, sdk, code):
    text = ["Zwölf", " \u2028", " 🍒", "\n\ndata: x\r\n"]
    server.ollama.on("/api/chat", says(*text))

    *tokens, final = sdk.run(server, code)

    assert tokens == [[token, False, "ollama", None, None] for token in text]
    assert final[:3] == ["", True, "ollama"]
    assert final[3] > 0
    assert final[4]
    asked = server.ollama.requests[0].json
    assert asked["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_sdk_has_a_token_before_the_next_one_exists(server, sdk):
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))

    said = sdk.run(
        server, 'for token in client.stream_predict("m", "Hi"): say(token.token)'
    )

    assert next(said) == "Good"
    gate.set()
    assert [*said] == [" morning", ""]


def test_the_sdk_embeds(server, sdk):
    one, several = sdk.run(
        server,
        """
one = client.embed("conf-echo", "apple")
say([one.embeddings, one.model, one.usage.prompt_tokens, one.usage.total_tokens])
say(client.embed("conf-echo", ["apple", "pear"]).embeddings)
""",
    )

    assert one == [[embed("apple")], "conf-echo", 2, 2]
    assert several == [embed("apple"), embed("pear")]


ATTEMPTS = """
attempt(lambda: list(client.stream_predict("conf-503", "Good morning")))
attempt(lambda: asyncio.run(collect(client, "conf-503")))
attempt(lambda: client.embed("conf-http-400", "a"))
"""


def test_the_sdk_raises_for_an_error_status(server, sdk):
    refused = sdk.run(server, ATTEMPTS, token="wrong")
    assert [*refused] == [["status", 401]] * 3

    failed = sdk.run(server, ATTEMPTS)
    assert [*failed] == [["status", 503], ["status", 503], ["status", 400]]


def test_the_facade_for_hosted_models_answers_whole_embeds_and_raises(server, sdk):
    whole, vectors, error = sdk.run_hosted(
        server,
        """
answer = await client.responses.create(model="conf-echo", input="Zwölf 🍒")
say([answer.output_text, answer.finish_reason, answer.usage.total_tokens > 2])
found = await client.embeddings.create(model="conf-echo", input=["apple"])
say([found.embeddings, found.usage.prompt_tokens])
await read(client, "conf-http-400")
""",
    )

    assert whole == ["Zwölf 🍒", "stop", True]
    assert vectors == [[embed("apple")], 2]
    assert error[0] == "OctomilError" and "400" in error[1]


def test_the_facade_for_hosted_models_streams(server, sdk):
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " \u2028🍒", gate=gate))

    said = sdk.run_hosted(
        server,
        """
async for event in client.responses.stream(model="m", input="Good morning"):
    say(event.delta if hasattr(event, "delta") else event.response.output_text)
""",
    )

    assert [next(said), next(said)] == ["", "Good"]
    gate.set()
    assert [*said] == [" \u2028🍒", "Good \u2028🍒"]


def test_a_cut_stream_raises(server, sdk):
    cut = stream(NDJSON, OLLAMA.token("Good"), RUNNER_DIED)
    server.ollama.on("/api/chat", cut)

    said = [
        *sdk.run(
            server,
            """
attempt(lambda: list(client.stream_predict("m", "Good morning")))
attempt(lambda: asyncio.run(collect(client, "m")))
""",
        ),
        *sdk.run_hosted(server, 'await read(client, "m")'),
    ]

    assert [kind for kind, _ in said] == ["RemoteProtocolError"] * 3
