"""Which upstream answers (spec section 9)."""

import pytest

from octomil_conformance.api import REFUSED, Api
from octomil_conformance.exchange import MISSING, Exchange, field
from octomil_conformance.requirement import requirement


def provider(answer: Exchange) -> object:
    told = [event["provider"] for event in answer.events if "provider" in event]
    return next(iter(told), None) or field(answer.fields, "provider")


def asked(api: Api) -> list[str]:
    return [call.backend for call in api.backend.calls(api.nonce)]


@requirement("FALLBACK-01")
def test_ollama_is_asked_first_and_alone(api: Api) -> None:
    answer = api.ask(scenario="echo")

    assert answer.status == 200
    assert asked(api) == ["ollama"]


@requirement("FALLBACK-02", serial=True)
def test_the_other_answers_when_ollama_cannot_be_reached(api: Api) -> None:
    with api.outage("refuse", "ollama"):
        answer = api.ask(scenario="echo")

    assert answer.status == 200


@requirement("FALLBACK-03")
@pytest.mark.parametrize("status", ["500", "502", "503"])
def test_the_other_answers_when_ollama_fails(api: Api, status: str) -> None:
    answer = api.ask(scenario=f"ollama-{status}-openai-ok")

    assert answer.status == 200
    assert asked(api)[-1:] == ["openai"]


@requirement("FALLBACK-04")
def test_the_other_answers_when_ollama_is_late(api: Api) -> None:
    answer = api.ask(scenario="ollama-slow-openai-ok")

    assert answer.status == 200
    assert asked(api)[-1:] == ["openai"]


@requirement("FALLBACK-05")
def test_the_other_answers_when_ollama_sends_garbage(api: Api) -> None:
    answer = api.ask(scenario="ollama-garbage-openai-ok")

    assert answer.status == 200
    assert asked(api)[-1:] == ["openai"]


@requirement("FALLBACK-06")
def test_the_other_answers_when_ollama_lacks_the_model(api: Api) -> None:
    answer = api.ask(scenario="ollama-missing-openai-ok")

    assert answer.status == 200
    assert asked(api)[-1:] == ["openai"]


@requirement("FALLBACK-07")
def test_nobody_else_is_asked_when_the_request_is_at_fault(api: Api) -> None:
    answer = api.ask(scenario="ollama-400-openai-ok")

    assert answer.status in REFUSED
    assert asked(api) == ["ollama"]


@requirement("FALLBACK-08")
def test_provider_tells_who_answered(api: Api) -> None:
    first = provider(api.ask(scenario="echo"))
    other = provider(api.ask(scenario="ollama-500-openai-ok"))

    assert other not in (first, None, MISSING), (
        "another provider than of the first answer"
    )


@requirement("FALLBACK-09")
@pytest.mark.parametrize("scenario", ["cut-before-first", "truncate-before-first"])
def test_the_other_answers_when_ollama_breaks_off_at_once(
    api: Api, scenario: str
) -> None:
    answer = api.ask(scenario=f"ollama-{scenario}-openai-ok")

    assert answer.status == 200
    assert asked(api)[-1:] == ["openai"]
