"""Freedoms in how a server calls its upstreams (spec section 9), and in what it remembers of them."""

from dataclasses import replace

from octomil_conformance.server import on
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.layers import Json


@on.sends("infer@2", shows="echo", only="openai")
def newer_words(payload: Json) -> None:
    """The limit of tokens is called max_completion_tokens, one stop is sent as a string, and the answer is not stored."""
    if "max_tokens" in payload:
        payload["max_completion_tokens"] = payload.pop("max_tokens")
    stops = payload.get("stop", ())
    if len(stops) == 1:
        payload["stop"] = stops[0]
    payload |= {"store": False, "user": "gateway"}


@on.sends("infer@2", shows="echo", only="ollama")
def prompts_stay_whole(payload: Json) -> None:
    """Ollama is asked not to shorten a long prompt."""
    payload |= {"truncate": False, "shift": False}


@on.keys("infer@2", shows="echo", only="ollama")
def any_key() -> str:
    """A key that is no secret is sent, because some client libraries need one."""
    return "ollama"


@on.upstreams("infer@2 stream@2 embed@2", shows="echo")
def cools_down(upstreams: Upstreams) -> Upstreams:
    """An upstream that could not be reached is asked last for a second."""
    return replace(upstreams, cooldown=1.0)


@on.upstreams("embed@2")
def older_embeddings(given: Upstreams) -> Upstreams:
    """Embeds by Ollama's older API, one text at a time."""
    return replace(given, old_embeddings=True)


@on.upstreams("health@2")
def probes_by_list_and_root(given: Upstreams) -> Upstreams:
    """Probes Ollama by its list of running models, and the fallback by its root."""
    return replace(given, probes={"ollama": "/api/ps", "openai": "/"})


@on.upstreams("health@2")
def probes_by_root_and_page(given: Upstreams) -> Upstreams:
    """Probes Ollama by its root, and the fallback by the page for load balancers that most servers have."""
    return replace(given, probes={"ollama": "/", "openai": "/health"})
