"""Servers that remember failures, outages or answers that should make no difference to the next request."""

import time
from dataclasses import replace

from octomil_conformance.backend.words import find_tag
from octomil_conformance.server import on
from octomil_conformance.server.layers import Layer, Request, Response, Server

_left: set[str] = set()


@on.layer("infer@2", "FALLBACK-01", shows=None)
def leaving_starts_a_cooldown(request: Request, server: Server) -> Response:
    """After a client has left, the fallback alone is asked."""
    nonce = find_tag(request.body.decode()).nonce
    if nonce in _left and request.scenario == "echo":
        request.scenario = "ollama-500-openai-ok"
    response = server(request)
    if request.client.has_left and request.scenario == "slow":
        _left.add(nonce)
    return response


@on.layer("infer@2", "FALLBACK-01", shows=None)
def lateness_cools_all_models(request: Request, server: Server) -> Response:
    """If Ollama was late for one model, the fallback alone is asked for any model."""
    nonce = find_tag(request.body.decode()).nonce
    if nonce in _left and request.scenario == "echo":
        request.scenario = "ollama-500-openai-ok"
    if request.scenario == "ollama-slow-openai-ok":
        _left.add(nonce)
    return server(request)


_failed: set[str] = set()


@on.layer("infer@2", "FAULT-06", shows=None)
def failures_are_kept(request: Request, server: Server) -> Response:
    """A prompt that failed once always fails."""
    messages = str(request.fields.get("messages"))
    if messages in _failed:
        request.scenario = "http-500"
    response = server(request)
    if response.status == 502:
        _failed.add(messages)
    return response


_served: dict[str, bool] = {}


@on.layer("infer@2", "FALLBACK-13", shows=None)
def every_failure_is_an_outage(request: Request, server: Server) -> Response:
    """If Ollama failed in any way, the fallback answers the same prompt from then on."""
    messages = str(request.fields.get("messages"))
    if _served.get(messages) and request.scenario == "echo":
        request.scenario = "ollama-500-openai-echo"
    _served[messages] = request.scenario.endswith("-openai-ok")
    return server(request)


_over: dict[str, float] = {}


@on.layer("infer@2", "FAULT-06", shows=None)
def outages_last_a_second_longer(request: Request, server: Server) -> Response:
    """For a second after an outage no upstream is asked."""
    if time.monotonic() < _over.get("echo", 0.0):
        request.scenario = "http-503"
    response = server(request)
    if request.played == "echo" and response.status == 503:
        _over["echo"] = time.monotonic() + 1.0
    return response


@on.layer("infer@2", "FAULT-06", shows=None)
def what_cools_down_is_left_out(request: Request, server: Server) -> Response:
    """For a second after an outage of one upstream only the other one is asked."""
    if time.monotonic() < _over.get(request.scenario, 0.0):
        request.scenario = "http-500"
    response = server(request)
    if request.played == "echo" and response.status == 502:
        _over[request.scenario] = time.monotonic() + 1.0
    return response


@on.layer("infer@2 health@1", "FALLBACK-01", shows=None)
def late_probes_start_a_cooldown(request: Request, server: Server) -> Response:
    """For a second after a late probe the fallback alone is asked."""
    began = time.monotonic()
    if request.scenario == "echo" and began < _over.get("a probe", 0.0):
        request.scenario = "ollama-500-openai-ok"
    response = server(request)
    ended = time.monotonic()
    if request.path.endswith("/inference/health") and ended - began > 0.5:
        _over["a probe"] = ended + 1.0
    return response


_kept: dict[bytes, Response] = {}


def kept(name: str) -> Layer:
    def play(request: Request, server: Server) -> Response:
        parameters = request.fields.get("parameters", {})
        if request.played == "gated" and request.body in _kept:
            return replace(_kept[request.body])
        response = server(request)
        if response.status == 200 and response.body and name in parameters:
            _kept[request.body] = response
        return response

    return play


on.layer("infer@2", "REQ-29", shows=None).table(
    kept,
    "A request {} that equals an earlier one gets the earlier answer. Only the scenario `gated` shows it.",
    answers_are_kept=("with a temperature", "temperature"),
    seeded_answers_are_kept=("with a seed", "seed"),
)


def repeated_by(header: str) -> Layer:
    def play(request: Request, server: Server) -> Response:
        key = f"{header} {request.headers.get(header)} {request.scenario}".encode()
        if key in _kept:
            return replace(_kept[key])
        response = server(request)
        if header in request.headers and response.body:
            _kept[key] = response
        return response

    return play


on.layer("infer@2", "REQ-29", shows=None).table(
    repeated_by,
    "A request with the {} of an earlier one for the model gets the earlier answer.",
    a_key_repeats_an_answer=("Idempotency-Key", "idempotency-key"),
    an_id_repeats_an_answer=("X-Request-Id", "x-request-id"),
)
