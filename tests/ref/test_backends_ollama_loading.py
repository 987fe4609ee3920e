"""More time for a model that Ollama has to load first."""

import pytest
import responses
from builders import OLLAMA, asking, embedding, ollama_chat

from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.payloads import CompletionRequest, Message

CHAT = f"{OLLAMA}/api/chat"
EMBED = f"{OLLAMA}/api/embed"
PS = f"{OLLAMA}/api/ps"
TIMEOUT, LOADING = 20.0, 60.0


def limits() -> list[tuple[str, float]]:
    """Each request so far, and its timeout in seconds."""
    return [
        (call.request.path_url, call.request.req_kwargs["timeout"][1])
        for call in responses.calls
    ]


@responses.activate
def test_a_model_that_has_not_answered_here_may_have_to_be_loaded(clock):
    responses.post(CHAT, json=ollama_chat())
    responses.post(EMBED, json={"embeddings": [[1.0]]})
    patient = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=LOADING)

    patient.complete(asking())
    patient.embed(embedding("a"))
    patient.complete(CompletionRequest("another", (Message("user", "Hi"),), {}))

    assert limits() == [
        ("/api/chat", LOADING),
        ("/api/embed", TIMEOUT),
        ("/api/chat", LOADING),
    ]


@responses.activate
@pytest.mark.parametrize(
    ("in_memory", "seconds"),
    [
        pytest.param({"models": [{"name": "m:latest"}]}, TIMEOUT, id="in memory"),
        pytest.param({"models": [{"name": "m:7b"}]}, LOADING, id="not in memory"),
        pytest.param({"error": "not found"}, TIMEOUT, id="not known"),
    ],
)
def test_after_five_seconds_without_an_answer_ollama_is_asked_once(
    clock, in_memory, seconds
):
    responses.post(CHAT, json=ollama_chat())
    responses.get(PS, json=in_memory)
    patient = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=LOADING)
    patient.complete(asking())
    clock.advance(5)

    patient.complete(asking())
    patient.complete(asking())

    assert limits()[1:] == [
        ("/api/ps", 2.0),
        ("/api/chat", seconds),
        ("/api/chat", TIMEOUT),
    ]


@responses.activate
@pytest.mark.parametrize("load_timeout", [None, TIMEOUT])
def test_without_more_time_for_loading_nothing_is_asked(clock, load_timeout):
    responses.post(CHAT, json=ollama_chat())
    backend = OllamaBackend(OLLAMA, TIMEOUT, {}, load_timeout=load_timeout)

    backend.complete(asking())
    clock.advance(10)
    backend.complete(asking())

    assert limits() == [("/api/chat", TIMEOUT)] * 2
