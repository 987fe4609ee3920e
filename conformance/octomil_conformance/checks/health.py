"""Health (spec section 8). The shape of the report is in wire/health.py."""

from concurrent.futures import ThreadPoolExecutor

from octomil_conformance.api import Api
from octomil_conformance.backend import API_KEY
from octomil_conformance.backend.gated import Outage
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Provider
from octomil_conformance.checks.fault import secrets, shown_of
from octomil_conformance.exchange import MISSING, Exchange, field, items
from octomil_conformance.expect import Want, expect, less_than, none_of, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.health import addresses_in

REFUSING: list[tuple[Outage, Provider]] = [
    *(("lost", each) for each in BOTH),
    *(("limit", each) for each in BOTH),
    *(("text", each) for each in BOTH),
]
"""How an available upstream answers a probe: with no such page, too many requests, a text."""
LIVENESS = "/health"
REPORTS = 4
"""Requests, as from an orchestrator, a load balancer and people, while upstreams hang."""
DOWN: list[Outage] = ["refuse", "fail", "deny"]
ALLOWS_GET = Want("GET in Allow", lambda value: "GET" in str(value))


def places(answer: Exchange) -> list[object]:
    """The providers in the order of the report."""
    return [field(each, "provider") for each in items(answer.field("backends"))]


@requirement("HEALTH-06")
def no_token_is_needed(api: Api) -> None:
    expect(api.get(headers={"Authorization": None}).status, one_of(200, 503))


@requirement("HEALTH-07")
def head_is_get_without_a_body(api: Api) -> None:
    whole, head = api.get(), api.get("HEAD")

    expect(head.status, whole.status)


@requirement("HEALTH-08", [("Authorization", "Bearer "), ("X-API-Key", "")])
def an_unknown_token_does_no_harm(api: Api, name: str, scheme: str) -> None:
    unknown = f"{scheme}conf-2222-an-unknown-token"
    answer = api.get(headers={"Authorization": None, name: unknown})

    expect(answer.status, one_of(200, 503))


@requirement("HEALTH-09", ["POST", "PUT", "PATCH", "DELETE"])
def another_method_is_not_allowed(api: Api, method: str) -> None:
    answer = api.get(method)

    expect(answer.status, 405)
    expect(answer.header("Allow") or MISSING, ALLOWS_GET)


@requirement("HEALTH-20")
def it_is_ok_when_all_backends_answer(api: Api) -> None:
    answer = api.settled("ok")

    expect((answer.status, answer.field("status")), (200, "ok"))


@requirement("HEALTH-20", serial=True)
def it_is_ok_again_after_an_outage(api: Api) -> None:
    with api.outage("refuse"):
        api.settled("unavailable")
    answer = api.settled("ok")

    expect((answer.status, answer.field("status")), (200, "ok"))


@requirement("HEALTH-20", REFUSING, serial=True)
def an_upstream_that_answers_a_probe_oddly_answers(
    api: Api, kind: Outage, name: Provider
) -> None:
    with api.outage(kind, name):
        answer = api.settled("ok")

    expect((answer.status, answer.field("status")), (200, "ok"))


@requirement("HEALTH-27")
def the_fallback_is_probed_with_its_key(api: Api) -> None:
    api.settled("ok")
    calls = [call for call in api.backend.calls("") if call.backend == "openai"]
    probes = [call for call in calls if call.method == "GET"]
    keys = {call.headers.get("authorization", "no Authorization") for call in probes}

    expect(keys, one_of({f"Bearer {API_KEY}"}, set()), f"Bearer {API_KEY}")


@requirement("HEALTH-21", DOWN, serial=True)
def it_is_degraded_when_only_a_later_backend_answers(api: Api, kind: Outage) -> None:
    first = api.settled("ok").field("provider")
    with api.outage(kind, "ollama"):
        answer = api.settled("degraded")

    expect((answer.status, answer.field("status")), (200, "degraded"))
    expect(answer.field("provider"), none_of(first, None))


@requirement("HEALTH-25", DOWN, serial=True)
def no_secret_is_shown_while_upstreams_are_down(api: Api, kind: Outage) -> None:
    hidden = secrets(api)
    with api.outage(kind):
        answer = api.settled("unavailable")

    expect(shown_of(hidden, answer), [], "no secret")
    expect(addresses_in(answer), [], "no URL, no address, no port")


@requirement("HEALTH-28", ["refuse", "hang"], serial=True)
def the_upstreams_keep_their_places(api: Api, kind: Outage) -> None:
    before = api.settled("ok")
    with api.outage(kind, "ollama"):
        answer = api.settled("degraded")

    expect(places(answer), places(before), "the same order")


@requirement("HEALTH-26", DOWN, serial=True)
def it_is_degraded_when_a_later_backend_does_not_answer(api: Api, kind: Outage) -> None:
    first = api.settled("ok").field("provider")
    with api.outage(kind, "openai"):
        answer = api.settled("degraded")

    expect((answer.status, answer.field("status")), (200, "degraded"))
    expect(answer.field("provider"), first)


@requirement("HEALTH-22", serial=True)
def it_is_unavailable_when_no_backend_answers(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.settled("unavailable")

    expect((answer.status, answer.field("status")), (503, "unavailable"))


@requirement("HEALTH-22", serial=True)
def head_says_that_no_backend_answers(api: Api) -> None:
    with api.outage("refuse"):
        whole = api.settled("unavailable")
        head = api.get("HEAD")

    expect((whole.status, head.status), (503, 503))


@requirement("HEALTH-23", serial=True)
def a_backend_that_hangs_does_not_delay_it(api: Api) -> None:
    count = min(REPORTS, api.target.config.workers)
    with api.outage("hang"), ThreadPoolExecutor(count) as pool:
        answers = [*pool.map(api.settled, ["unavailable"] * count)]
    slowest = max(answers, key=lambda answer: answer.seconds)
    api.observe(slowest)

    expect(slowest.seconds, less_than(api.within(5), " s"))
    expect({answer.status for answer in answers}, {503})


@requirement("HEALTH-23", serial=True)
def an_upstream_that_stalls_does_not_delay_it(api: Api) -> None:
    api.settled("ok")
    with api.outage("stall"):
        answer = api.get()

    expect(answer.seconds, less_than(api.within(5), " s"))


@requirement("HEALTH-24", serial=True)
def liveness_does_not_depend_on_backends(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.get(path=LIVENESS, headers={"Authorization": None})

    expect(answer.status, 200)
