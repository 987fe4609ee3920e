"""When no upstream can answer (spec section 10)."""

from urllib.parse import urlsplit

import pytest

from octomil_conformance.api import UNAVAILABLE, Api
from octomil_conformance.backend import API_KEY
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import is_name

FAILING = ("http-500", "http-503", "garbage")


def secrets(api: Api) -> list[str]:
    urls = (api.backend.ollama_url, api.backend.openai_url)
    return [API_KEY, *(urlsplit(url).netloc for url in urls)]


@requirement("FAULT-01")
@pytest.mark.parametrize("status", ["500", "503"])
def test_failing_upstreams_are_a_gateways_failure(api: Api, status: str) -> None:
    answer = api.ask(scenario=f"http-{status}")

    assert answer.status in UNAVAILABLE


@requirement("FAULT-02")
def test_late_upstreams_are_a_failure_in_time(api: Api) -> None:
    answer = api.ask(scenario="slow")

    assert answer.status in UNAVAILABLE
    assert answer.seconds < api.within(2 * api.timeout + 3)


@requirement("FAULT-03", serial=True)
def test_upstreams_that_are_gone_are_a_failure_at_once(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    assert answer.status in UNAVAILABLE
    assert answer.seconds < api.within(3)


@requirement("FAULT-04")
def test_garbage_is_a_gateways_failure(api: Api) -> None:
    answer = api.ask(scenario="garbage")

    assert answer.status in UNAVAILABLE


@requirement("FAULT-05")
def test_too_many_requests_are_told_so(api: Api) -> None:
    answer = api.ask(scenario="http-429")

    assert answer.status == 429
    assert answer.header("Retry-After"), "Retry-After"


@requirement("FAULT-06")
@pytest.mark.parametrize("scenario", ["http-500", "garbage", "drop"])
def test_after_a_failure_all_is_well_again(api: Api, scenario: str) -> None:
    bad = api.ask(scenario=scenario)
    good = api.ask(scenario="echo")

    assert bad.status in UNAVAILABLE
    assert good.status == 200


@requirement("FAULT-07")
@pytest.mark.parametrize("scenario", FAILING)
def test_a_gateways_failure_has_an_envelope(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    assert is_name(field(answer.fields, "error")), "a string that is not empty"
    assert is_name(field(answer.fields, "message")), "a string that is not empty"
    assert field(answer.fields, "status_code") == answer.status


@requirement("FAULT-08")
@pytest.mark.parametrize("scenario", [*FAILING, "auth", "drop"])
def test_a_gateways_failure_tells_no_secret(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    assert answer.status >= 400
    assert [each for each in secrets(api) if each in answer.text] == [], "no secret"


@requirement("FAULT-08", serial=True)
def test_an_upstream_that_is_gone_is_not_named(api: Api) -> None:
    hidden = secrets(api)
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    assert answer.status >= 400
    assert [each for each in hidden if each in answer.text] == [], "no secret"


@requirement("FAULT-09")
@pytest.mark.parametrize("scenario", FAILING)
def test_a_gateways_failure_may_be_tried_again(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    assert field(answer.fields, "retryable") is True


@requirement("FAULT-10")
def test_a_key_that_is_refused_upstream_is_no_401(api: Api) -> None:
    answer = api.ask(scenario="auth")

    assert answer.status in UNAVAILABLE
