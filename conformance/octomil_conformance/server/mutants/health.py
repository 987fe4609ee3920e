"""Health reports that clients cannot read, or that are wrong."""

import time
from dataclasses import replace
from threading import Lock

from octomil_conformance.server import on
from octomil_conformance.server.backends import ALIVE, Upstreams
from octomil_conformance.server.layers import Json, Layer, Request, Response, Server
from octomil_conformance.server.on import GONE

on.answers("health@0", "HEALTH-01").sets(health_is_up=("status", "UP"))
on.answers("health@2", "HEALTH-20").sets(ok_is_degraded=("status", "degraded"))
on.answers("health@2", "HEALTH-21 HEALTH-26", shows=None).sets(
    degraded_is_ok=("status", "ok")
)


@on.responses("health@0", "HEALTH-02")
def health_is_always_503(response: Response) -> None:
    """The status is always 503."""
    response.status = 503


@on.answers("health@0", "HEALTH-03 HEALTH-04")
def backends_are_an_object(fields: Json) -> None:
    """`backends` is an object with the providers as names."""
    fields["backends"] = {each["provider"]: each for each in fields["backends"]}


@on.answers("health@0", "HEALTH-03")
def a_backend_has_no_name(fields: Json) -> None:
    """A backend has no `provider`."""
    fields["backends"].append({"status": "unavailable"})


@on.answers("health@0", "HEALTH-03")
def a_backend_is_down(fields: Json) -> None:
    """The `status` of a backend is `DOWN`."""
    fields["backends"].append({"provider": "other", "status": "DOWN"})


@on.answers("health@0", "HEALTH-04")
def provider_is_the_last(fields: Json) -> None:
    """`provider` is the last backend of the list."""
    fields["provider"] = fields["backends"][-1]["provider"]


@on.answers("health@0", "HEALTH-05")
def address_is_shown(fields: Json) -> None:
    """The report shows the URL of a backend."""
    fields["backends"][0]["url"] = "http://10.0.0.7:11434"


@on.replies("health@2", "HEALTH-24", shows=None)
def liveness_needs_a_token(request: Request, response: Response) -> None:
    """The liveness probe needs a token."""
    if request.path.endswith("/v1/health") and "authorization" not in request.headers:
        response.status = 401


@on.replies("health@1", "HEALTH-06")
def probes_need_a_token(request: Request, response: Response) -> None:
    """The report needs a token."""
    if "authorization" not in request.headers:
        response.status = 401


@on.replies("health@1", "HEALTH-07")
def head_is_not_allowed(request: Request, response: Response) -> None:
    """HEAD is answered with 405."""
    if request.method == "HEAD":
        response.status = 405


@on.answers("health@2", "HEALTH-21", shows=None)
def provider_is_always_the_first(fields: Json) -> None:
    """`provider` is the first backend, whether it answers or not."""
    if "backends" in fields:
        fields["provider"] = fields["backends"][0]["provider"]


@on.responses("health@2", "HEALTH-09 HEALTH-22 HEALTH-23", shows=None)
def unavailable_is_a_200(response: Response) -> None:
    """The status is always 200."""
    response.status = 200


def unbounded(status: int) -> Layer:
    def slower(request: Request, server: Server) -> Response:
        began = time.monotonic()
        response = server(request)
        if response.status == status and time.monotonic() - began > 0.5:
            time.sleep(5)
        return response

    return slower


on.layer("health@2", "HEALTH-23", shows=None).table(
    unbounded,
    "Health waits without limit for {}.",
    health_unbounded=("a backend that hangs", 503),
    probes_that_have_begun_are_unbounded=("the rest of an answer to a probe", 200),
)


_turn = Lock()


@on.layer("health@2", "HEALTH-23", shows=None)
def reports_are_made_in_turn(request: Request, server: Server) -> Response:
    """A report that no upstream answers takes two seconds, and the next one waits until then."""
    with _turn:
        response = server(request)
        time.sleep(2 * (response.status == 503))
        return response


@on.responses("health@2", "HEALTH-21 HEALTH-22 HEALTH-23 HEALTH-26", shows=None)
def health_always_ok(response: Response) -> None:
    """Health says ok whatever the backends do."""
    fields = response.fields
    for backend in fields.get("backends", ()):
        backend["status"] = "ok"
        fields |= {"status": "ok", "provider": fields["backends"][0]["provider"]}
        response.status = 200
    response.send(fields)


@on.responses("health@2", "HEALTH-23", shows=None)
def bad_news_takes_its_time(response: Response) -> None:
    """A report that no backend answers comes late."""
    if response.status == 503:
        time.sleep(4.6)


@on.requests("health@2", "HEALTH-24")
def liveness_asks_backends(request: Request) -> None:
    """Liveness depends on the backends."""
    request.path = request.path.replace("v1/health", "v1/inference/health")


@on.replies("health@1", "HEALTH-08")
def probes_need_a_good_token(request: Request, response: Response) -> None:
    """A probe may have no token, but not an unknown one."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token not in ("", request.token):
        response.status = 401


@on.requests("health@1", "HEALTH-09")
def any_method_gets_the_report(request: Request) -> None:
    """Every method gets the report."""
    request.method = "GET"


on.headers("health@1", "HEALTH-09").sets(health_allows_nothing=("allow", GONE))


@on.answers("health@2", "HEALTH-26", shows=None)
def the_first_backend_is_enough(fields: Json) -> None:
    """The status is `ok` if the first backend answers, whatever the others do."""
    if fields.get("backends", [{}])[0].get("status") == "ok":
        fields["status"] = "ok"


@on.answers("health@2", "HEALTH-26", shows=None)
def the_last_backend_is_the_provider(fields: Json) -> None:
    """If only one backend answers, `provider` names the last."""
    if fields["status"] == "degraded":
        fields["provider"] = "openai"


@on.replies("health@2", "HEALTH-25", shows=None)
def the_address_is_shown_in_an_outage(request: Request, response: Response) -> None:
    """The report shows the address of a backend that does not answer."""
    if response.status == 503:
        response.send({**response.fields, "hint": f"connect {request.upstream}"})


@on.responses("health@2", "HEALTH-25", shows=None)
def the_key_is_shown_in_an_outage(response: Response) -> None:
    """The report shows the server's own key while no backend answers."""
    if response.status == 503:
        response.send({**response.fields, "hint": "The key conf-key was refused."})


@on.responses("health@2", "HEALTH-25", shows=None)
def another_address_is_shown_in_an_outage(response: Response) -> None:
    """The report shows the address of a proxy while no backend answers."""
    if response.status == 503:
        response.send({**response.fields, "hint": "no route to 10.0.0.7"})


@on.answers("health@2", "HEALTH-28", shows=None)
def those_that_answer_come_first(fields: Json) -> None:
    """Upstreams that do not answer are at the end of the list."""
    fields["backends"].sort(key=lambda each: each["status"] != "ok")


@on.upstreams("health@2", "HEALTH-20")
def upstreams_need_a_page(upstreams: Upstreams) -> Upstreams:
    """An upstream counts as available only if it has the page that is asked for."""
    return replace(upstreams, alive={"ollama": {200}, "openai": {200}})


@on.upstreams("health@2", "HEALTH-20")
def too_many_probes_are_an_outage(upstreams: Upstreams) -> Upstreams:
    """An upstream that answers a probe with 429 counts as unavailable."""
    return replace(upstreams, alive=dict.fromkeys(("ollama", "openai"), ALIVE - {429}))


@on.upstreams("health@2", "HEALTH-20")
def probes_must_bring_json(upstreams: Upstreams) -> Upstreams:
    """An upstream that answers a probe with something other than JSON counts as unavailable."""
    return replace(upstreams, is_alive=lambda exchange: exchange.text[:1] == "{")


@on.replies("health@2", "HEALTH-22", shows=None)
def head_is_always_well(request: Request, response: Response) -> None:
    """HEAD is answered with 200, also if no backend answers."""
    if request.method == "HEAD" and response.status == 503:
        response.status = 200


@on.layer("health@1", "HTTP-39")
def reports_have_not_changed(request: Request, server: Server) -> Response:
    """A request with `If-None-Match` is answered with 304."""
    if "if-none-match" in request.headers:
        return Response(304, {"content-length": "0"}, [])
    return server(request)


@on.layer("health@1", "HTTP-39")
def reports_have_a_tag(request: Request, server: Server) -> Response:
    """A report has an ETag, and a request with this tag is answered with 304."""
    if request.headers.get("if-none-match") == '"a-tag"':
        return Response(304, {"content-length": "0"}, [])
    response = server(request)
    response.headers["etag"] = '"a-tag"'
    return response


@on.keys("health@2", "HEALTH-27", only="openai")
def probes_have_no_key() -> str:
    """A probe is sent without the server's key."""
    return ""


@on.upstreams("health@2", "HEALTH-26")
def any_status_of_the_fallback_will_do(upstreams: Upstreams) -> Upstreams:
    """The fallback counts as available after any response to a probe."""
    return replace(upstreams, alive={"openai": range(200, 600)})


@on.upstreams("health@2", "HEALTH-21")
def any_status_of_ollama_below_500_will_do(upstreams: Upstreams) -> Upstreams:
    """Ollama counts as available if it refuses the server's key."""
    return replace(upstreams, alive={"ollama": range(200, 500)})


@on.replies("health@1", "HEALTH-08")
def probes_need_a_good_key(request: Request, response: Response) -> None:
    """A probe with an unknown token in X-API-Key is answered with 401."""
    if request.headers.get("x-api-key", request.token) != request.token:
        response.status = 401


@on.requests("health@1", "HEALTH-09")
def patch_gets_the_report(request: Request) -> None:
    """PATCH gets the report."""
    request.method = request.method.replace("PATCH", "GET")


_bad: list[tuple[float, Response]] = []


@on.layer("health@2", "HEALTH-20", shows=None)
def a_bad_report_is_kept(request: Request, server: Server) -> Response:
    """For eight seconds after a 503 the report is the same."""
    if _bad and time.monotonic() < _bad[0][0]:
        return replace(_bad[0][1])
    response = server(request)
    if response.status == 503 and response.body:
        _bad[:] = [(time.monotonic() + 8, response)]
    return response
