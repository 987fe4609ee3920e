"""Real OpenAI clients against the running server: OpenAI's own for Python and JavaScript, and LangChain's."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from installed import environment, npm_packages
from octomil_conformance.backend import embed
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from processes import ServerProcess, found
from python_client import python_client
from reference import RUNNER_DIED, TOKEN

CLIENTS = ("openai==3.57.0", "langchain-openai==1.7.4")

CUT = stream(NDJSON, OLLAMA.token("Good"), RUNNER_DIED)

PRELUDE = """
import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

HELLO = [{"role": "user", "content": "Good morning"}]

def connect(kind):
    return getattr(openai, kind)(base_url=f"{url}/v1", api_key=token, max_retries=0)

async def settled(value):
    return await value if inspect.isawaitable(value) else value

async def each(stream):
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item

async def attempt(call):
    try:
        async for chunk in each(await settled(call())):
            say(chunk.choices[0].delta.content)
    except openai.APIError as error:
        say([type(error).__name__, error.code, error.param])
"""

Run = Callable[..., Iterator[Any]]
"""Runs code with `client` connected to the server; returns what it says."""


@pytest.fixture(scope="module")
def clients():
    python = environment("openai-clients", *CLIENTS) / "bin" / "python"
    with python_client(python, PRELUDE) as client:
        yield client


@pytest.fixture(params=["OpenAI", "AsyncOpenAI"])
def run(request, server, clients):
    def run(code, token=TOKEN):
        connected = f"client = connect({request.param!r})\n{code}"
        return clients.run(connected, url=server.url, token=token)

    return run


def test_the_clients_read_a_single_answer(server, run):
    server.ollama.on("/api/chat", says("Zwölf", " 🍒"))

    said = run(
        """
answer = await settled(client.chat.completions.create(
    model="m", messages=HELLO, max_completion_tokens=9, temperature=0.5, stop="."
))
choice = answer.choices[0]
say([answer.model, choice.message.role, choice.message.content, choice.finish_reason])
say(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens)
"""
    )

    assert [*said] == [["m", "assistant", "Zwölf 🍒", "stop"], True]
    options = server.ollama.requests[0].json["options"]
    assert options == {"num_predict": 9, "temperature": 0.5, "stop": ["."]}


STREAM = """
chunks = await settled(client.chat.completions.create(
    model="m", messages=HELLO, stream=True, stream_options={"include_usage": True}
))
async for chunk in each(chunks):
    for choice in chunk.choices:
        say([choice.delta.content, choice.finish_reason])
    if chunk.usage:
        say(chunk.usage.completion_tokens)
"""


def test_the_clients_read_a_stream_token_by_token(server, run):
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " \u2028🍒", gate=gate))

    said = run(STREAM)

    assert [next(said), next(said)] == [["", None], ["Good", None]]
    gate.set()
    assert [*said] == [[" \u2028🍒", None], [None, "stop"], 6]


def test_the_clients_read_embeddings_in_their_own_encoding(server, run):
    texts = ["apple", "pear"]

    said = run(
        f"""
found = await settled(client.embeddings.create(model="conf-echo", input={texts}))
say([item.embedding for item in found.data])
say([found.model, found.usage.prompt_tokens])
"""
    )

    vectors, rest = said
    assert vectors == [pytest.approx(embed(text), abs=1e-6) for text in texts]
    assert rest == ["conf-echo", 4]
    assert server.ollama.requests[0].json["input"] == texts


def test_the_clients_list_models(run):
    said = run(
        """
say([model.id async for model in each(await settled(client.models.list()))])
model = await settled(client.models.retrieve("conf-echo"))
say([model.id, model.owned_by])
"""
    )

    listed, one = said
    assert "conf-echo" in listed
    assert one == ["conf-echo", "ollama"]


@pytest.mark.parametrize(
    ("request_code", "error"),
    [
        ('model="conf-http-400"', ["BadRequestError", "invalid_input", None]),
        ('model="m", n=2', ["BadRequestError", "invalid_input", "n"]),
        ('model="conf-http-404"', ["NotFoundError", "model_not_found", None]),
        ('model="conf-http-429"', ["RateLimitError", "rate_limited", None]),
        ('model="conf-http-503"', ["InternalServerError", "server_error", None]),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_is_an_exception_of_the_client(run, request_code, error, streamed):
    said = run(
        f"""
await attempt(lambda: client.chat.completions.create(
    {request_code}, messages=HELLO, stream={streamed}
))
"""
    )

    assert [*said] == [error]


def test_a_wrong_token_is_an_authentication_error(run):
    said = run("await attempt(lambda: client.models.list())", token="wrong")

    assert [*said] == [["AuthenticationError", "authentication_failed", None]]


def test_a_cut_stream_raises(server, run):
    server.ollama.on("/api/chat", CUT)

    said = run(
        """
await attempt(lambda: client.chat.completions.create(model="m", messages=HELLO, stream=True))
"""
    )

    assert [*said] == ["", "Good", ["APIError", "stream_interrupted", None]]


def test_langchain_chats_and_embeds(server, clients):
    said = clients.run(
        """
reach = {"base_url": f"{url}/v1", "api_key": token, "model": "conf-echo"}
model = ChatOpenAI(**reach)
say(model.invoke("Good morning").content)
say([chunk.content for chunk in model.stream("Good morning") if chunk.content])
say((await model.ainvoke([("system", "Be brief."), ("user", "Good night")])).content)
say(OpenAIEmbeddings(**reach, check_embedding_ctx_length=False).embed_query("apple"))
""",
        url=server.url,
        token=TOKEN,
    )

    *texts, vector = said
    assert texts == ["Good morning", ["Good", " morning"], "Good night"]
    assert vector == pytest.approx(embed("apple"), abs=1e-6)


NODE = """
const say = (value) => console.log("SAID " + JSON.stringify(value));
const [baseURL, apiKey] = process.argv.slice(1);
const { default: OpenAI } = await import("openai");
const client = new OpenAI({baseURL, apiKey, maxRetries: 0});
const asked = {model: "conf-echo", messages: [{role: "user", content: "Good morning"}]};
const answer = await client.chat.completions.create(asked);
say(answer.choices[0].message.content);
const tokens = [];
for await (const chunk of await client.chat.completions.create({...asked, stream: true}))
  tokens.push(chunk.choices[0].delta.content ?? chunk.choices[0].finish_reason);
say(tokens);
const found = await client.embeddings.create({model: "conf-echo", input: "apple"});
say(found.data[0].embedding);
say((await client.models.retrieve("conf-echo")).owned_by);
const failed = (error) => say([error.constructor.name, error.code]);
await client.chat.completions.create({...asked, model: "conf-http-429"}).catch(failed);
try {
  for await (const chunk of await client.chat.completions.create({...asked, model: "conf-cut", stream: true}));
} catch (error) {
  failed(error);
}
"""


@pytest.mark.machine
@pytest.mark.parametrize("shared_server", ["waitress"], indirect=True)
def test_openais_client_for_javascript_chats_and_embeds(server):
    """The tests of the other clients show that both servers answer alike."""
    folder = npm_packages("npm-openai", {"dependencies": {"openai": "6.49.0"}})
    node = [found("node", "nodejs"), "--input-type=module", "-e", NODE, "--"]
    argv = ["env", "-C", str(folder), *node, f"{server.url}/v1", TOKEN]
    with ServerProcess(argv) as process:
        assert process.wait() == 0
        lines = process.all_lines()

    whole, tokens, vector, owner, refused, cut = [
        json.loads(line.removeprefix("SAID ")) for line in lines
    ]
    assert whole == "Good morning"
    assert tokens == ["", "Good", " morning", "stop"]
    assert vector == pytest.approx(embed("apple"), abs=1e-6)
    assert owner == "ollama"
    assert refused == ["RateLimitError", "rate_limited"]
    assert cut == ["APIError", "stream_interrupted"]
