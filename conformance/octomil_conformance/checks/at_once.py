"""Requests at the same time: nothing in an answer is from another request. More such checks are in infer.py, stream.py and batch.py."""

import time

from octomil_conformance.api import Api
from octomil_conformance.checks.answers import ending, providers
from octomil_conformance.exchange import MISSING, Exchange, field
from octomil_conformance.expect import Words, between, expect, one_of, written
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.transport import Transfer

OLLAMA, FALLBACK = "ollama-gated-openai-500", "ollama-500-openai-gated"
BOTH_ORDERS = {
    "ollama-first": (OLLAMA, FALLBACK, 1),
    "fallback-first": (FALLBACK, OLLAMA, 2),
}
"""The scenarios of two requests, and the number of upstream calls for the first."""
WORDS = ("one two three", "four five six seven eight")
APART = 0.25
"""The part of the timeout between the beginnings of two requests."""


def held(api: Api, scenario: str, times: int, text: str = WORDS[0]) -> Transfer:
    """Starts a request whose answer is held. Waits for its first token, and for this number of upstream calls in all."""
    call = api.start(text, scenario=scenario)
    api.until_called(times)
    if api.profile == "stream":
        call.until_text(1)
    return call


def released(api: Api, *calls: Transfer) -> list[Exchange]:
    """Opens the gate. Returns the answers."""
    api.backend.open(api.nonce)
    return [call.finish() for call in calls]


@requirement("FALLBACK-08", BOTH_ORDERS)
def provider_is_that_of_each_of_two_at_once(
    api: Api, first: str, other: str, times: int
) -> None:
    calls = [held(api, first, times), held(api, other, 3)]
    together = [*map(providers, released(api, *calls))]
    alone = [providers(api.ask(scenario=each)) for each in (first, other)]

    expect(together, alone, "the providers that each answer names alone")


@requirement("INFER-11", through=EACH_BACKEND)
def usage_is_that_of_each_of_two_at_once(api: Api) -> None:
    calls = [held(api, "gated-end", n + 1, text) for n, text in enumerate(WORDS)]
    together = released(api, *calls)
    alone = [api.ask(text, scenario="gated-end") for text in WORDS]
    usages = [written(field(ending(each), "usage")) for each in (*together, *alone)]

    expect(
        [*map(Words, usages[:2])], usages[2:], "the usage that each request has alone"
    )


@requirement("INFER-14", through=EACH_BACKEND)
def a_failure_has_the_id_of_its_own_request(api: Api) -> None:
    call = api.start(scenario="slow")
    api.until_called(1)
    api.ask(scenario="echo")
    failure = call.finish()
    named = failure.field("request_id")

    expect(named, one_of(failure.header("X-Request-Id"), MISSING))


@requirement("INFER-12", through=EACH_BACKEND)
def latency_begins_with_each_request(api: Api) -> None:
    first = held(api, "gated", 1)
    time.sleep(APART * api.timeout)
    answers = released(api, first, held(api, "gated", 2))
    latency = field(ending(answers[0]), "latency_ms")

    expect(latency, between(900 * APART * api.timeout, 1000 * answers[0].seconds + 50))
