"""The scripted backend writes what the real servers write: the same fields, with values of the same types."""

import json

import httpx
import pytest
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from reference import MODEL_MAX_WAIT

QUESTION = {"messages": [{"role": "user", "content": "Say hi"}]}


def test_the_scripted_openai_is_like_llama_cpp(llama_cpp):
    with ScriptedBackend(ANY_PORT, ANY_PORT) as backend:
        ours = openai_answers(backend.openai_url, "conf-echo")
        real = openai_answers(f"{llama_cpp.url}/v1", llama_cpp.model)

    assert unlike(ours, real) == []


@pytest.mark.machine
def test_the_scripted_ollama_is_like_a_real_one(ollama):
    with ScriptedBackend(ANY_PORT, ANY_PORT) as backend:
        ours = ollama_answers(backend.ollama_url, "conf-echo")
        real = ollama_answers(ollama.url, ollama.model)

    assert unlike(ours, real) == []


def openai_answers(url, model):
    """First, second and last event, usage, whole answer, embeddings."""
    asked = {"model": model, **QUESTION, "max_tokens": 2, "temperature": 0}
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    text = post(f"{url}/chat/completions", asked | streamed).text
    *events, end, _ = text.split("\n\n")
    assert end == "data: [DONE]"
    events = [json.loads(event.removeprefix("data: ")) for event in events]
    whole = post(f"{url}/chat/completions", asked).json()
    vectors = post(f"{url}/embeddings", {"model": model, "input": ["a", "b"]}).json()
    return [*events[:2], *events[-2:], whole, vectors]


def ollama_answers(url, model):
    """First and last line, whole answer, embeddings."""
    options = {"num_predict": 2, "temperature": 0}
    asked = {"model": model, **QUESTION, "options": options}
    lines = post(f"{url}/api/chat", asked).text.splitlines()
    whole = post(f"{url}/api/chat", asked | {"stream": False}).json()
    vectors = post(f"{url}/api/embed", {"model": model, "input": ["a", "b"]}).json()
    return [json.loads(lines[0]), json.loads(lines[-1]), whole, vectors]


def post(url, asked):
    answer = httpx.post(url, json=asked, timeout=MODEL_MAX_WAIT, trust_env=False)
    return answer.raise_for_status()


def unlike(ours, real, where=""):
    """Our fields that the real answer does not have, or has with another type. Real servers may send more fields."""
    if isinstance(ours, dict) and isinstance(real, dict):
        return [
            found
            for name, value in ours.items()
            for found in (
                unlike(value, real[name], f"{where}.{name}")
                if name in real
                else [f"{where}.{name} is not there"]
            )
        ]
    if isinstance(ours, list) and isinstance(real, list):
        pairs = zip(ours, real, strict=False)
        return [
            x for n, pair in enumerate(pairs) for x in unlike(*pair, f"{where}[{n}]")
        ]
    if type(ours) is type(real):
        return []
    return [f"{where} is {ours!r} instead of {real!r}"]
