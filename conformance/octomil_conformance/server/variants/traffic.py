"""Freedoms of the traffic with upstreams, and of what a server remembers of them."""

from dataclasses import replace

from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.layers import Json
from octomil_conformance.server.subjects import sends, upstreams


@sends("infer@2", only="openai")
def newer_limit(payload: Json) -> None:
    """The limit of tokens is called max_completion_tokens."""
    if "max_tokens" in payload:
        payload["max_completion_tokens"] = payload.pop("max_tokens")


@sends("infer@2", only="openai")
def one_stop_is_a_string(payload: Json) -> None:
    """An array of one string as stop is sent as that string."""
    stops = payload.get("stop", ())
    if len(stops) == 1:
        payload["stop"] = stops[0]


@sends("infer@2", only="ollama")
def keeps_models_loaded(payload: Json) -> None:
    """Ollama is asked to keep the model, and not to think."""
    payload |= {"keep_alive": "10m", "think": False}


@upstreams("infer@2 stream@2 embed@2", shows="echo")
def cools_down(upstreams: Upstreams) -> Upstreams:
    """An upstream that could not be reached is asked last for a second."""
    return replace(upstreams, cooldown=1.0)
