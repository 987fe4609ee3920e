"""The wrong upstream is asked, or its failure is reported wrongly."""

import time
from collections.abc import Callable
from dataclasses import replace

from octomil_conformance.backend.failures import OTHER_BODIES
from octomil_conformance.server import on
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.failures import RANKED, Choice
from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.on import GONE

GATEWAY = (502, 503, 504)


@on.upstreams("infer@2", "FALLBACK-01 FALLBACK-07 FALLBACK-08 FALLBACK-11")
def openai_first(upstreams: Upstreams) -> Upstreams:
    """The OpenAI-compatible backend is asked before Ollama."""
    ollama = upstreams.openai.removesuffix("/v1")
    openai = f"{upstreams.ollama}/v1"
    return replace(upstreams, ollama=ollama, openai=openai)


@on.upstreams("embed@2", "FALLBACK-04 FAULT-02 FAULT-11..14 FAULT-16", shows="slow")
def no_timeout(upstreams: Upstreams) -> Upstreams:
    """A backend may take as long as it likes."""
    return replace(upstreams, timeout=3600.0)


def fail_both(scenario: str, *failures: str) -> str:
    """If Ollama has one of these failures, the other backend, which is asked next, fails too."""
    for failure in failures:
        if scenario == f"ollama-{failure}-openai-ok":
            return f"ollama-{failure}-openai-{failure}"
    return scenario


@on.scenarios("embed@2", "FALLBACK-03 FALLBACK-08")
def no_fallback_on_5xx(scenario: str) -> str:
    """A 5xx of Ollama is final."""
    return fail_both(scenario, "500", "502", "503")


@on.scenarios("embed@2", "FALLBACK-03")
def no_fallback_on_late_gateways(scenario: str) -> str:
    """If a gateway in front of Ollama was late, no other backend answers."""
    return fail_both(scenario, "504", "524")


@on.scenarios("embed@2", "FAULT-16")
def a_413_of_the_fallback_is_an_error(scenario: str) -> str:
    """A 413 of the fallback counts as an error of the server."""
    return scenario.replace("-openai-413", "-openai-500")


@on.scenarios("infer@2", "FAULT-16")
def a_cut_is_no_connection(scenario: str) -> str:
    """A response that breaks off counts less than an unknown model, as if there were no connection."""
    pair = "ollama-{}-openai-{}".format
    cut, missing = "cut-before-first", "missing"
    return missing if scenario in (pair(cut, missing), pair(missing, cut)) else scenario


@on.scenarios("embed@2", "FALLBACK-15")
def a_kept_connection_is_used_once(scenario: str) -> str:
    """A request that finds its connection closed is not sent again."""
    return scenario.replace("-stale", "-drop")


@on.scenarios("embed@2", "FALLBACK-04")
def no_fallback_on_timeout(scenario: str) -> str:
    """If Ollama is late, no other backend answers."""
    return fail_both(scenario, "slow")


@on.scenarios("embed@2", "FALLBACK-05")
def no_fallback_on_garbage(scenario: str) -> str:
    """If Ollama sends garbage, no other backend answers."""
    return fail_both(scenario, "garbage")


@on.scenarios("embed@2", "FALLBACK-05")
def no_fallback_on_other_4xx(scenario: str) -> str:
    """If Ollama answers with another status below 500, no other backend answers."""
    return fail_both(scenario, "405", "409", "410", "415", "423", "451")


@on.scenarios("embed@2", "FALLBACK-03")
def no_fallback_on_other_bodies(scenario: str) -> str:
    """If Ollama fails with a body that is not in its form, no other backend answers."""
    return fail_both(scenario, *OTHER_BODIES)


@on.replies("embed@2", "FAULT-01", shows="http-502-page")
def other_bodies_are_a_500(request: Request, response: Response) -> None:
    """If an upstream's failure is a web page, an array or empty, the client gets a 500."""
    if request.scenario in OTHER_BODIES:
        response.fail(500)


@on.scenarios("embed@2", "FALLBACK-05")
def no_fallback_on_redirects(scenario: str) -> str:
    """If Ollama answers with a redirect, no other backend answers."""
    return fail_both(scenario, "302", "308")


@on.scenarios("embed@2", "FALLBACK-06")
def no_fallback_on_missing_model(scenario: str) -> str:
    """If Ollama does not have the model, no other backend answers."""
    return fail_both(scenario, "missing")


@on.scenarios("infer@2", "FALLBACK-09")
def no_fallback_on_cut(scenario: str) -> str:
    """If Ollama breaks off before the first token, no other backend answers."""
    cuts = ("cut-before-first", "cut-in-thought", "truncate-before-first")
    return fail_both(scenario, *cuts)


@on.scenarios("embed@2", "FALLBACK-07 FAULT-16")
def falls_back_on_400(scenario: str) -> str:
    """If Ollama refuses the request with 400, the next backend answers."""
    return scenario.replace("ollama-400-", "ollama-500-")


FINAL = (
    "ollama-422-openai-ok",
    "ollama-http-422-detail-openai-ok",
    "ollama-context-too-long-openai-ok",
)


@on.scenarios("embed@2", "FALLBACK-11")
def falls_back_on_422(scenario: str) -> str:
    """If Ollama refuses the request with 422, or for its length, the next backend answers."""
    return "ollama-500-openai-ok" if scenario in FINAL else scenario


@on.replies("embed@2", "FALLBACK-11", shows="ollama-422-openai-ok")
def refusals_are_gateway_failures(request: Request, response: Response) -> None:
    """A request that Ollama refuses with 422, or for its length, is answered with 502."""
    if request.scenario in FINAL:
        response.fail(502, error="bad_gateway", code="inference_failed")


@on.layer("embed@2", "FALLBACK-11", shows=None)
def the_other_is_asked_what_it_cannot_answer(
    request: Request, server: Server
) -> Response:
    """If Ollama refuses the request with 422, or for its length, the next backend is asked, but its answer is thrown away."""
    response = server(request)
    if request.scenario in FINAL:
        request.scenario = "ollama-500-openai-ok"
        server(request).close()
    return response


@on.scenarios("embed@2", "FALLBACK-10")
def no_fallback_on_refusals(scenario: str) -> str:
    """If Ollama refuses the server's key or is rate limited, no other backend answers."""
    return fail_both(scenario, "auth", "402", "403", "408", "429")


@on.scenarios("infer@2", "FALLBACK-03..09 FALLBACK-11")
def ollama_is_asked_until_it_answers(scenario: str) -> str:
    """After a failure Ollama is asked again until it answers."""
    return "echo" if scenario.startswith("ollama-") else scenario


@on.replies("infer@2", "FALLBACK-02", shows=None)
def no_fallback_on_refused(request: Request, response: Response) -> None:
    """If Ollama refuses connections, no other backend answers."""
    if request.scenario == "echo" and b'"provider": "openai"' in response.body:
        response.fail(503)


on.answers("infer@2", "FALLBACK-08", shows=None).sets(
    provider_lies=("provider", "ollama")
)


@on.responses(
    "infer@2",
    "INFER-01 INFER-09 REQ-01..06 HTTP-08 HTTP-18 HTTP-19 HTTP-23 HTTP-28 "
    "FALLBACK-01..06 FALLBACK-09 FALLBACK-10 FAULT-06",
)
def infer_is_accepted(response: Response) -> None:
    """A good answer has the status 202."""
    if response.status == 200:
        response.status = 202


on.headers("embed@2", "FAULT-05 HTTP-35", shows="http-429").sets(
    hides_retry_after=("retry-after", GONE)
)
on.gateway_failures("infer@2", "FAULT-07 HTTP-25").sets(
    gateway_failure_has_no_message=("message", GONE)
)
on.gateway_failures("infer@2", "FAULT-07 FAULT-13 HTTP-25").sets(
    gateway_failure_has_no_error=("error", GONE)
)
on.gateway_failures("infer@2", "FAULT-07").sets(
    gateway_failure_has_another_status_code=("status_code", 500)
)
on.gateway_failures("infer@2", "FAULT-09").sets(
    gateway_failures_are_final=("retryable", False)
)


def showing(address: str) -> Callable[[Request, Response], None]:
    def play(request: Request, response: Response) -> None:
        if response.status == 504:
            fields = response.fields
            fields["message"] += f" {address.format(request.upstream.split(':')[1])}"
            response.send(fields)

    return play


on.replies("embed@2", "FAULT-08", shows="slow").table(
    showing,
    "The message about an upstream that is late shows its address{}.",
    leaks_address=("", "127.0.0.1:{}"),
    leaks_address_like_curl=(" as curl writes it", "127.0.0.1 port {}"),
    leaks_name=(" as localhost and a port", "localhost:{}"),
)


@on.layer("embed@2", "FALLBACK-07", shows=None)
def the_other_is_asked_in_vain(request: Request, server: Server) -> Response:
    """If Ollama refuses the request with 400, the next backend is asked, but its answer is thrown away."""
    response = server(request)
    if request.scenario == "ollama-400-openai-ok":
        request.scenario = "ollama-500-openai-ok"
        server(request).close()
    return response


@on.responses(
    "embed@2", "FAULT-01..04 FAULT-06 FAULT-10..12 FAULT-16 EMBED-21", shows="http-500"
)
def gateway_failures_are_500(response: Response) -> None:
    """A failure of the upstream has the status 500."""
    if response.status in GATEWAY:
        response.fail(500)


@on.responses("infer@2", "FAULT-02", shows="slow")
def time_outs_take_their_time(response: Response) -> None:
    """After all timeouts the server waits for seconds before it fails."""
    if response.status == 504:
        time.sleep(3.2)


@on.responses("infer@2", "FAULT-03", shows="http-503")
def outages_take_their_time(response: Response) -> None:
    """If no upstream can be reached, the server waits for seconds before it fails."""
    if response.status == 503:
        time.sleep(3)


@on.responses("embed@2", "FAULT-05 FAULT-13 FAULT-16 FAULT-17", shows="http-429")
def too_many_is_a_503(response: Response) -> None:
    """A 429 of the upstream is answered with 503."""
    if response.status == 429:
        response.fail(503)


@on.failures("infer@2", "FAULT-08 HTTP-36", shows="auth")
def key_is_shown(fields: Json) -> None:
    """The message of a failure shows the server's own key."""
    if fields["code"] == "cloud_provider_auth_failed":
        fields["message"] += " Incorrect API key provided: conf-key."


@on.responses("embed@2", "FAULT-10", shows="auth")
def refused_key_is_a_401(response: Response) -> None:
    """A 401 of the upstream is passed on."""
    if response.status == 502 and b"cloud_provider_auth_failed" in response.body:
        response.fail(401)


def through(provider: str) -> str:
    """The requirements whose checks fail if the client gets the failure of the other upstream."""
    names = ("FAULT-05", "FAULT-09", "FAULT-10", "FAULT-14", "HTTP-35")
    return " ".join(f"{name}[{provider}]" for name in names)


@on.upstreams("embed@2", f"FAULT-16 {through('ollama')}", shows="ollama-429-openai-500")
def the_last_failure_counts(upstreams: Upstreams) -> Upstreams:
    """The failure of the last backend is passed on, whatever the first one said."""
    return replace(upstreams, choice=lambda failures: failures[-1])


@on.upstreams(
    "embed@2", f"FAULT-16 FAULT-17 {through('openai')}", shows="ollama-500-openai-429"
)
def the_first_failure_counts(upstreams: Upstreams) -> Upstreams:
    """The failure of the first backend is passed on, whatever the last one says."""
    return replace(upstreams, choice=lambda failures: failures[0])


def preferring(kind: str) -> Choice:
    """Chooses a failure of this kind if there is one."""
    ranked = [kind, *RANKED]
    return lambda failures: min(failures, key=lambda each: ranked.index(each.kind))


@on.upstreams(
    "embed@2", "FAULT-16 FAULT-09 FAULT-10 FAULT-14", shows="ollama-missing-openai-500"
)
def a_missing_model_counts(upstreams: Upstreams) -> Upstreams:
    """If one backend does not have the model, the request is answered with 404, although the other one may have it."""
    return replace(upstreams, choice=preferring("missing_model"))


@on.upstreams("embed@2", f"FAULT-16 FAULT-17 {through('ollama')}")
def a_cooldown_changes_the_failure(upstreams: Upstreams) -> Upstreams:
    """The failure of the backend that was asked last is passed on, so a cooldown changes it."""
    return replace(upstreams, choice=lambda failures: failures[-1], cooldown=1.0)


@on.upstreams("embed@2", "FAULT-16", shows="ollama-500-openai-auth")
def a_refused_key_counts(upstreams: Upstreams) -> Upstreams:
    """If one backend refuses the key, that failure is passed on, whatever the failure of the other one is."""
    return replace(upstreams, choice=preferring("bad_key"))


@on.upstreams("embed@2", "FAULT-16 FAULT-17")
def an_outage_counts(upstreams: Upstreams) -> Upstreams:
    """If one backend cannot be reached, that failure is passed on, whatever the failure of the other one is."""
    return replace(upstreams, choice=preferring("unreached"))


on.gateway_failures("infer@2", "FAULT-13", shows="http-503").sets(
    gateway_failures_have_one_class=("error", "bad_gateway")
)
on.gateway_failures("infer@2", "FAULT-14").sets(
    gateway_failures_have_one_code=("code", "server_error")
)
on.gateway_failures("infer@2", "FAULT-15", shows="auth").sets(
    gateway_failures_are_all_retryable=("retryable", True)
)


@on.layer("infer@2", "FAULT-12", shows="stall-before-first")
def a_beginning_is_an_answer(request: Request, server: Server) -> Response:
    """An answer that stops in its middle counts as complete."""
    if request.played == "stall-before-first":
        request.scenario = "echo"
    return server(request)


@on.replies("infer@2", "FALLBACK-14", shows=None)
def latency_begins_with_the_last_upstream(request: Request, response: Response) -> None:
    """`latency_ms` leaves out the time that a failed upstream took."""
    if request.scenario == "ollama-late-failure-openai-ok":
        response.send({**response.fields, "latency_ms": 1.5})


@on.replies("embed@2", "FAULT-05", shows="http-429-silent")
def only_the_upstream_says_when(request: Request, response: Response) -> None:
    """A 429 has no Retry-After if the upstream's had none."""
    if request.played == "http-429-silent":
        response.headers.pop("Retry-After", None)
        response.headers.pop("retry-after", None)


@on.scenarios("embed@2", "FALLBACK-03 FAULT-01")
def lack_of_memory_is_a_fault_of_the_request(scenario: str) -> str:
    """A 500 that speaks of memory counts as a fault of the request."""
    return "http-400" if "500-memory" in scenario else scenario


@on.replies("embed@2", "HTTP-35", shows="http-429-date")
def a_date_is_passed_on(request: Request, response: Response) -> None:
    """A Retry-After that is a date is passed on as it is."""
    if request.played == "http-429-date":
        response.headers["Retry-After"] = "Fri, 02 Jan 2026 03:04:05 GMT"
