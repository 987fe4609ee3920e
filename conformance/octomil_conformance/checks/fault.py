"""When no upstream can answer (spec section 10)."""

from urllib.parse import urlsplit

from octomil_conformance.api import UNAVAILABLE, Api
from octomil_conformance.backend import API_KEY
from octomil_conformance.exchange import field
from octomil_conformance.expect import Want, at_least, expect, less_than
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import NAME

TRUE = Want("true", lambda value: value is True)
FAILING = ("http-500", "http-503", "garbage")


def secrets(api: Api) -> list[str]:
    """The addresses of the upstreams, and the server's key for them."""
    urls = (api.backend.ollama_url, api.backend.openai_url)
    return [API_KEY, *(urlsplit(url).netloc for url in urls)]


@requirement("FAULT-01", ["500", "503"])
def failing_upstreams_are_a_gateways_failure(api: Api, status: str) -> None:
    answer = api.ask(scenario=f"http-{status}")

    expect(answer.status, UNAVAILABLE)


@requirement("FAULT-02")
def late_upstreams_are_a_failure_in_time(api: Api) -> None:
    answer = api.ask(scenario="slow")

    expect(answer.status, UNAVAILABLE)
    expect(answer.seconds, less_than(api.within(2 * api.timeout + 3)))


@requirement("FAULT-03", serial=True)
def upstreams_that_are_gone_are_a_failure_soon(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    expect(answer.status, UNAVAILABLE)
    expect(answer.seconds, less_than(api.within(3)))


@requirement("FAULT-04")
def garbage_is_a_gateways_failure(api: Api) -> None:
    answer = api.ask(scenario="garbage")

    expect(answer.status, UNAVAILABLE)


@requirement("FAULT-05")
def too_many_requests_are_a_429(api: Api) -> None:
    answer = api.ask(scenario="http-429")

    expect(answer.status, 429)
    expect(answer.header("Retry-After"), NAME, "Retry-After")


@requirement("FAULT-06", ["http-500", "garbage", "drop"])
def after_a_failure_the_server_works_again(api: Api, scenario: str) -> None:
    bad = api.ask(scenario=scenario)
    good = api.ask(scenario="echo")

    expect(bad.status, UNAVAILABLE)
    expect(good.status, 200)


@requirement("FAULT-07", FAILING)
def a_gateways_failure_has_an_envelope(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(field(answer.fields, "error"), NAME)
    expect(field(answer.fields, "message"), NAME)
    expect(field(answer.fields, "status_code"), answer.status)


@requirement("FAULT-08", [*FAILING, "auth", "drop"])
def a_gateways_failure_shows_no_secret(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, at_least(400))
    expect([each for each in secrets(api) if each in answer.text], [], "no secret")


@requirement("FAULT-08", serial=True)
def the_address_of_an_upstream_that_is_gone_is_not_shown(api: Api) -> None:
    hidden = secrets(api)
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    expect(answer.status, at_least(400))
    expect([each for each in hidden if each in answer.text], [], "no secret")


@requirement("FAULT-09", FAILING)
def a_gateways_failure_may_be_tried_again(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(field(answer.fields, "retryable"), TRUE)


@requirement("FAULT-10")
def a_key_that_the_upstream_refuses_is_not_a_401(api: Api) -> None:
    answer = api.ask(scenario="auth")

    expect(answer.status, UNAVAILABLE)
