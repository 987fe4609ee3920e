"""When no upstream can answer (spec section 10)."""

import itertools
import re
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.api import UNAVAILABLE, Api
from octomil_conformance.backend import API_KEY
from octomil_conformance.backend.failures import OTHER_BODIES
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Provider
from octomil_conformance.exchange import MISSING, Exchange
from octomil_conformance.expect import (
    FALSE,
    TRUE,
    Want,
    at_least,
    expect,
    less_than,
    one_of,
    written,
)
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.wire.common import NAME

FAILING = ("http-500", "http-503", "garbage", "http-429", "slow")
REFUSING = ("auth", "http-403", "http-404")
QUOTING = (*FAILING, *REFUSING, "error-frame-first", "drop")
"""Failures in which upstreams quote their address or the key, or in which a server may name the address itself."""
REFUSED_KEYS = ["auth", "http-402", "http-403"]
"""Ways in which upstreams refuse the server's own key. A 402: its account is empty."""

CLASSES = ["http-429", "http-500", "http-503", "garbage", "slow", "auth"]
CLASS_OF = {
    429: "rate_limited",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
FAILED = one_of("inference_failed", "server_error")
CODES = {
    "429": ("http-429", one_of("rate_limited")),
    "key": ("auth", one_of("cloud_provider_auth_failed")),
    "time": ("slow", one_of("request_timeout")),
    "500": ("http-500", FAILED),
    "garbage": ("garbage", FAILED),
}
AT_FAULT = one_of(400, 413, 422)
RATE_LIMITED = one_of(429)
ORDER = {
    "400": AT_FAULT,
    "429": RATE_LIMITED,
    **dict.fromkeys(("503", "500", "garbage", "auth", "slow"), UNAVAILABLE),
    "missing": one_of(404),
}
"""Failures in the order in which they count, and the statuses for them."""
TAKES_ITS_TIME = [("auth", "slow"), ("slow", "missing")]
"""The pairs with a timeout that are tried."""
PAIRS = [
    pair
    for pair in itertools.combinations(ORDER, 2)
    if pair != ("500", "garbage") and ("slow" not in pair or pair in TAKES_ITS_TIME)
]
RANKED = {
    **{f"{one}-{other}": (one, other, ORDER[one]) for one, other in PAIRS},
    **{
        f"{each}-500": (each, "500", AT_FAULT)
        for each in ("413", "422", "context-too-long")
    },
    **{
        f"{each}-missing": (each, "missing", UNAVAILABLE)
        for each in ("402", "403", "408", "cut-before-first")
    },
}
"""Two failures, and the status of the one that the client gets."""


def secrets(api: Api) -> list[str]:
    """The addresses of the upstreams, with the names of this machine too, and the server's key for them."""
    urls = map(urlsplit, (api.backend.ollama_url, api.backend.openai_url))
    names = [(url.port, {url.hostname, "localhost", "::1", "[::1]"}) for url in urls]
    return [API_KEY, *(f"{host}:{port}" for port, each in names for host in each)]


def shown_of(hidden: list[str], answer: Exchange) -> list[str]:
    text = f"{answer.headers} {answer.text}"
    return [each for each in hidden if re.search(written_anyhow(each), text)]


def written_anyhow(secret: str) -> str:
    """A regular expression. curl writes `HOST port PORT`, urllib3 `host='HOST', port=PORT`."""
    host, colon, port = secret.rpartition(":")
    return re.escape(host) + r"\W+(port\W+)?" * bool(colon) + re.escape(port)


def kind_of(failure: Exchange) -> tuple[Any, ...]:
    """The status and the fields by which failures differ."""
    return failure.status, failure.field("code"), failure.field("retryable")


@requirement("FAULT-01", ["http-500", "http-503", "http-500-memory", *OTHER_BODIES])
def failing_upstreams_are_a_gateways_failure(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=scenario).status, UNAVAILABLE)


@requirement("FAULT-02")
def late_upstreams_are_a_failure_in_time(api: Api) -> None:
    answer = api.ask(scenario="slow")

    expect(answer.status, UNAVAILABLE)
    expect(answer.seconds, less_than(api.within(2 * api.timeout + 3), " s"))


@requirement("FAULT-03", serial=True)
def upstreams_that_are_gone_are_a_failure_soon(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    expect(answer.status, UNAVAILABLE)
    expect(answer.seconds, less_than(api.within(3), " s"))


@requirement("FAULT-04")
def garbage_is_a_gateways_failure(api: Api) -> None:
    expect(api.ask(scenario="garbage").status, UNAVAILABLE)


@requirement(
    "FAULT-05",
    ["http-429", "http-429-silent", "http-429-quota", "http-429-page"],
    through=EACH_BACKEND,
)
def too_many_requests_are_a_429(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, 429)
    expect(answer.header("Retry-After") or MISSING, NAME, "a Retry-After header")
    expect(answer.seconds, less_than(api.within(2 * api.timeout + 3), " s"))


@requirement("FAULT-06", ["http-500", "garbage", "drop"], through=EACH_BACKEND)
def after_a_failure_the_server_works_again(api: Api, scenario: str) -> None:
    bad = api.ask(scenario=scenario)
    good = api.ask(scenario="echo")

    expect(bad.status, UNAVAILABLE)
    expect(good.status, 200)


@requirement(
    "FAULT-06", {"of-both": False, "of-one": True}, serial=True, through=EACH_BACKEND
)
def after_an_outage_the_server_works_at_once(api: Api, is_alone: bool) -> None:
    gone = [each for each in BOTH if not is_alone or each == api.through]
    with api.outage("refuse", *gone) as afterwards:
        bad = api.ask(scenario="echo")

    expect(bad.status, UNAVAILABLE)
    api.observe(afterwards[0])
    expect(afterwards[0].status, 200)


@requirement("FAULT-07", FAILING, through=EACH_BACKEND)
def a_gateways_failure_has_an_envelope(api: Api, scenario: str) -> None:
    headers = {"Accept": "text/event-stream"}
    answer = api.ask(scenario=api.failing(scenario), headers=headers)

    expect(answer.field("error"), NAME, f"{NAME} as `error`")
    expect(answer.field("message"), NAME, f"{NAME} as `message`")
    expect(
        answer.field("status_code"), answer.status, f"{answer.status} as `status_code`"
    )


@requirement("FAULT-07", through=EACH_BACKEND)
def a_web_page_instead_of_a_rejection_is_a_failure(api: Api) -> None:
    answer = api.ask(scenario=api.failing("http-400-page"))

    expect(answer.status, one_of(400, 422, 502, 503, 504))
    expect(answer.field("status_code"), answer.status, "an envelope")


@requirement("FAULT-08", QUOTING, through=EACH_BACKEND)
def a_gateways_failure_shows_no_secret(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=api.failing(scenario))

    expect(answer.status, at_least(400))
    expect(shown_of(secrets(api), answer), [], "no secret")


@requirement("FAULT-08", serial=True, through=EACH_BACKEND)
def the_address_of_an_upstream_that_is_gone_is_not_shown(api: Api) -> None:
    hidden = secrets(api)
    with api.outage("refuse"):
        answer = api.ask(scenario="echo")

    expect(answer.status, at_least(400))
    expect(shown_of(hidden, answer), [], "no secret")


@requirement("FAULT-09", FAILING, through=EACH_BACKEND)
def a_gateways_failure_may_be_tried_again(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=api.failing(scenario)).field("retryable"), TRUE)


@requirement("FAULT-10", REFUSED_KEYS, through=EACH_BACKEND)
def a_key_that_the_upstream_refuses_is_not_a_401(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=api.failing(scenario)).status, UNAVAILABLE)


@requirement("FAULT-11", through=EACH_BACKEND)
def the_timeout_covers_a_whole_answer(api: Api) -> None:
    expect(api.ask(scenario="drip").status, UNAVAILABLE)


@requirement(
    "FAULT-12", ["stall-before-first", "awake", "failure-stall"], through=EACH_BACKEND
)
def a_beginning_is_not_an_answer_in_time(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, UNAVAILABLE)
    expect(answer.seconds, less_than(api.within(2 * api.timeout + 3), " s"))


@requirement("FAULT-13", CLASSES, through=EACH_BACKEND)
def the_class_of_a_failure_is_that_of_its_status(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=api.failing(scenario))

    expect(answer.field("error"), CLASS_OF.get(answer.status, NAME))


@requirement("FAULT-14", CODES, through=EACH_BACKEND)
def the_code_tells_failures_apart(api: Api, scenario: str, codes: Want) -> None:
    expect(api.ask(scenario=api.failing(scenario)).field("code"), codes)


@requirement("FAULT-15", REFUSED_KEYS, through=EACH_BACKEND)
def a_refused_key_will_be_refused_again(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=api.failing(scenario)).field("retryable"), FALSE)


@requirement("FAULT-16", RANKED)
def the_order_of_upstreams_does_not_decide(
    api: Api, one: str, other: str, statuses: Want
) -> None:
    pairs = ((one, one), (one, other), (other, one))
    calls = [api.start(scenario=f"ollama-{a}-openai-{b}") for a, b in pairs]
    alone, *mixed = [call.finish() for call in calls]

    expect(alone.status, statuses)
    want = [kind_of(alone)] * 2
    expect([*map(kind_of, mixed)], want, f"{written(want)}, as if both had failed so")


@requirement("FAULT-17", serial=True)
def a_failure_is_the_same_in_the_cooldown(api: Api) -> None:
    with api.outage("refuse", "ollama"):
        answers = [api.ask(scenario="http-429") for _ in range(2)]
    statuses = [answer.status for answer in answers]

    expect(statuses, [429, 429], "the same failure again")


@requirement("FAULT-16", BOTH, serial=True)
def an_unknown_model_counts_more_than_an_outage(api: Api, gone: Provider) -> None:
    with api.outage("refuse", gone):
        answer = api.ask(scenario="missing")

    expect((answer.status, answer.field("code")), (404, "model_not_found"))
