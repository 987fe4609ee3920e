"""Which upstream answers (spec section 9)."""

from octomil_conformance.api import REFUSED, Api
from octomil_conformance.backend import API_KEY
from octomil_conformance.backend.failures import OTHER_BODIES
from octomil_conformance.checks.answers import echoed, ending, providers, said
from octomil_conformance.checks.envelopes import UNKNOWN, tokens_in
from octomil_conformance.config import PATHS
from octomil_conformance.exchange import field
from octomil_conformance.expect import between, expect, less_than, one_of
from octomil_conformance.requirement import EACH_BACKEND, requirement

IN_A_ROW = 5
"""Failures after which careless servers leave an upstream out, or a model."""
SERVER_ERRORS = [
    "500",
    "501",
    "502",
    "503",
    "504",
    "507",
    "520",
    "524",
    "529",
    "http-500-memory",
    *OTHER_BODIES,
]
BEFORE_THE_FIRST = [
    "cut-before-first",
    "cut-in-thought",
    "truncate-before-first",
    "cut-after-nothing",
]
FAILS = ["400", "missing", "429", "500", "auth", "garbage", "cut-before-first"]
OTHER_STATUSES = ["302", "307", "308", "405", "409", "410", "415", "423", "451"]
"""Statuses of which neither protocol says anything."""
LATE = [("slow", "ok"), ("stall-before-first", "ok"), ("slow", "late")]
"""What Ollama and the fallback do. The fallback has the whole timeout too."""


def asked(api: Api) -> list[str]:
    """The upstreams that the server called, in order."""
    return [call.backend for call in api.backend.calls(api.nonce)]


@requirement("FALLBACK-01", ["echo", "late"])
def ollama_is_asked_first_and_alone(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, 200)
    expect(asked(api), ["ollama"])


@requirement("FALLBACK-01")
def ollama_is_asked_first_after_a_client_has_left(api: Api) -> None:
    call = api.start(scenario="slow")
    api.until_called()
    call.hang_up()
    api.backend.wait_until_idle(api.nonce, api.within(0.8 * api.timeout))
    before = len(asked(api))
    api.ask(scenario="echo")

    expect(asked(api)[before:], ["ollama"])


@requirement("FALLBACK-01")
def a_model_that_is_late_does_not_delay_another(api: Api) -> None:
    api.ask(scenario="ollama-slow-openai-ok")
    before = len(asked(api))
    api.ask(scenario="echo")

    expect(asked(api)[before:], ["ollama"], "another model asked of Ollama first")


@requirement("FALLBACK-01", serial=True)
def a_late_probe_starts_no_cooldown(api: Api) -> None:
    with api.outage("hang", "ollama"):
        api.get(path=PATHS["health"])

    expect(asked(api), ["ollama"], "Ollama asked first again at once")


@requirement("FALLBACK-02", serial=True)
def the_other_answers_when_ollama_cannot_be_reached(api: Api) -> None:
    with api.outage("refuse", "ollama"):
        answer = api.ask(scenario="echo")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))


@requirement("FALLBACK-03", SERVER_ERRORS)
def the_other_answers_when_ollama_fails(api: Api, status: str) -> None:
    answer = api.ask(scenario=f"ollama-{status}-openai-ok")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))
    expect(asked(api)[-1:], ["openai"])


@requirement("FALLBACK-04", LATE)
def the_other_answers_when_ollama_is_late(api: Api, ollama: str, fallback: str) -> None:
    answer = api.ask(scenario=f"ollama-{ollama}-openai-{fallback}")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))
    expect(asked(api)[-1:], ["openai"])
    expect(answer.seconds, less_than(api.within(api.timeout + 3), " s"))


@requirement("FALLBACK-05", ["garbage", "http-400-page", *OTHER_STATUSES])
def the_other_answers_when_ollama_sends_garbage(api: Api, garbage: str) -> None:
    answer = api.ask(scenario=f"ollama-{garbage}-openai-ok")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))
    expect(asked(api)[-1:], ["openai"])


@requirement("FALLBACK-06")
def the_other_answers_when_ollama_does_not_have_the_model(api: Api) -> None:
    answer = api.ask(scenario="ollama-missing-openai-ok")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))
    expect(asked(api)[-1:], ["openai"])


@requirement("FALLBACK-07")
def no_other_is_asked_when_the_request_is_at_fault(api: Api) -> None:
    answer = api.ask(scenario="ollama-400-openai-ok")

    expect(answer.status, REFUSED)
    expect(asked(api), ["ollama"])


@requirement("FALLBACK-08")
def provider_names_the_backend_that_answered(api: Api) -> None:
    first = providers(api.ask(scenario="echo"))
    other = providers(api.ask(scenario="ollama-500-openai-ok"))

    seen = (len(other), sorted(other & first))

    expect(seen, (1, []), "one provider, and not the one of Ollama")


@requirement("FALLBACK-09", BEFORE_THE_FIRST)
def the_other_answers_when_ollama_breaks_off_at_once(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=f"ollama-{scenario}-openai-ok")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))
    expect(asked(api)[-1:], ["openai"])


@requirement("FALLBACK-10", ["auth", "402", "403", "408", "429"])
def the_other_answers_when_ollama_does_not_serve_this_server(
    api: Api, scenario: str
) -> None:
    answer = api.ask(scenario=f"ollama-{scenario}-openai-ok")

    expect(answer.status, 200)
    expect(said(answer), echoed(api))


@requirement("FALLBACK-11", ["413", "422", "http-422-detail", "context-too-long"])
def no_other_is_asked_what_no_model_can_answer(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=f"ollama-{scenario}-openai-ok")

    expect(answer.status, one_of(400, 413, 422))
    expect(asked(api), ["ollama"])


@requirement("FALLBACK-12")
def the_key_is_for_the_fallback_alone(api: Api) -> None:
    token = api.token or UNKNOWN
    api.ask(scenario="ollama-500-openai-ok", headers={"X-API-Key": token})
    calls = api.backend.calls(api.nonce)
    keys = {c.headers.get("authorization") for c in calls if c.backend == "openai"}
    with_key = [c for c in calls if c.backend == "ollama" and API_KEY in str(c.headers)]
    with_token = [each for each in calls if tokens_in(str(each.headers), token)]

    expect(keys, {f"Bearer {API_KEY}"})
    expect(
        with_key + with_token, [], "no call with a key that is not for this upstream"
    )


@requirement("FALLBACK-15", serial=True, through=EACH_BACKEND)
def a_connection_that_is_closed_is_replaced(api: Api) -> None:
    api.ask(scenario="echo")
    answer = api.ask(scenario="stale")

    expect((answer.status, said(answer)), (200, echoed(api)))


@requirement("FALLBACK-14")
def the_time_of_all_upstreams_counts(api: Api) -> None:
    answer = api.ask(scenario="ollama-late-failure-openai-ok")
    latency = field(ending(answer), "latency_ms")

    expect(latency, between(500 * api.timeout, 1000 * answer.seconds + 50))


@requirement("FALLBACK-13", FAILS)
def a_failure_that_is_an_answer_starts_no_cooldown(api: Api, scenario: str) -> None:
    api.ask(scenario=f"ollama-{scenario}-openai-ok")
    before = len(asked(api))
    api.ask(scenario="echo")

    expect(asked(api)[before:], ["ollama"])


@requirement("FALLBACK-13", ["500", "429", "missing"])
def failures_in_a_row_start_no_cooldown(api: Api, scenario: str) -> None:
    content = api.content(f"ollama-{scenario}-openai-ok")
    for _ in range(IN_A_ROW):
        api.ask(scenario="echo", **content)
    before = len(asked(api))
    api.ask(scenario="echo")

    expect(asked(api)[before:], ["ollama"], "the same model asked of Ollama first")
