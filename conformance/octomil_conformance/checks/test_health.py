"""Health (spec section 8); the shape of the report is in wire/health.py."""

from octomil_conformance.api import Api
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement

LIVENESS = "/health"


@requirement("HEALTH-06")
def test_no_token_is_needed(api: Api) -> None:
    answer = api.get(headers={"Authorization": None})

    assert answer.status in (200, 503)


@requirement("HEALTH-07")
def test_head_is_get_without_a_body(api: Api) -> None:
    whole, head = api.get(), api.get("HEAD")

    assert head.status == whole.status


@requirement("HEALTH-20")
def test_all_is_well_when_all_backends_answer(api: Api) -> None:
    answer = api.settled("ok")

    assert (answer.status, field(answer.fields, "status")) == (200, "ok")


@requirement("HEALTH-21", serial=True)
def test_it_is_degraded_when_only_a_later_backend_answers(api: Api) -> None:
    first = field(api.settled("ok").fields, "provider")
    with api.outage("refuse", "ollama"):
        answer = api.settled("degraded")

    assert (answer.status, field(answer.fields, "status")) == (200, "degraded")
    assert field(answer.fields, "provider") not in (first, None)


@requirement("HEALTH-22", serial=True)
def test_it_is_unavailable_when_no_backend_answers(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.settled("unavailable")

    assert (answer.status, field(answer.fields, "status")) == (503, "unavailable")


@requirement("HEALTH-23", serial=True)
def test_a_backend_that_hangs_does_not_hold_it_up(api: Api) -> None:
    with api.outage("hang"):
        answer = api.settled("unavailable")

    assert answer.seconds < api.within(5)
    assert answer.status == 503


@requirement("HEALTH-24", serial=True)
def test_liveness_does_not_depend_on_backends(api: Api) -> None:
    with api.outage("refuse"):
        answer = api.get(path=LIVENESS)

    assert answer.status == 200
