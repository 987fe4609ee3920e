"""Health reports that cannot be read, or that are not true."""

import time

from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import answers, everywhere, fault, layer

BACKEND = {"provider": "other", "status": "ok"}


@answers("health@0", "HEALTH-01")
def health_is_up(fields: Json) -> None:
    """`status` is a word of another language."""
    fields["status"] = "UP"


@everywhere("health@0", "HEALTH-02")
def health_is_always_503(answer: Answer) -> None:
    """The status line says 503 though the report says ok."""
    answer.status = 503


@answers("health@0", "HEALTH-03", "HEALTH-04")
def backends_are_an_object(fields: Json) -> None:
    """`backends` is an object by name."""
    fields["backends"] = {each["provider"]: each for each in fields["backends"]}


@answers("health@0", "HEALTH-03")
def a_backend_has_no_name(fields: Json) -> None:
    """A backend has no `provider`."""
    fields["backends"].append({"status": "unavailable"})


@answers("health@0", "HEALTH-03")
def a_backend_is_down(fields: Json) -> None:
    """A backend's `status` is a word of another language."""
    fields["backends"].append({"provider": "other", "status": "DOWN"})


@answers("health@0", "HEALTH-04")
def provider_is_the_last(fields: Json) -> None:
    """`provider` is the last backend that can be used."""
    fields["provider"] = fields["backends"][-1]["provider"]


@answers("health@0", "HEALTH-05")
def address_is_shown(fields: Json) -> None:
    """The report tells where a backend listens."""
    fields["backends"][0]["url"] = "http://10.0.0.7:11434"


@layer("health@1", "HEALTH-06")
def probes_need_a_token(request: Request, server: Ask) -> Answer:
    """The report is for those with a token."""
    answer = server(request)
    if "authorization" not in request.headers:
        answer.status = 401
    return answer


@layer("health@1", "HEALTH-07")
def head_is_not_allowed(request: Request, server: Ask) -> Answer:
    """HEAD is not known."""
    answer = server(request)
    if request.method == "HEAD":
        answer.status = 405
    return answer


@answers("health@2", "HEALTH-20")
def ok_is_degraded(fields: Json) -> None:
    """All is never well."""
    fields["status"] = "degraded"


@answers("health@2", "HEALTH-21", shows=None)
def degraded_is_ok(fields: Json) -> None:
    """One backend is enough to be well."""
    fields["status"] = "ok"


@answers("health@2", "HEALTH-21", shows=None)
def provider_is_always_the_first(fields: Json) -> None:
    """`provider` is the first backend, whether it can be used or not."""
    if "backends" in fields:
        fields["provider"] = fields["backends"][0]["provider"]


@everywhere("health@2", "HEALTH-22", "HEALTH-23", shows=None)
def unavailable_is_a_200(answer: Answer) -> None:
    """The status line is 200 whatever the report says."""
    answer.status = 200


fault("health_unbounded", "Health waits for a backend as long as that takes.", "health@2", "HEALTH-23", shows=None)  # fmt: skip
fault("health_always_ok", "Health says ok without asking anybody.", "health@2", "HEALTH-21", "HEALTH-22", "HEALTH-23", shows=None)  # fmt: skip


@everywhere("health@2", "HEALTH-23", shows=None)
def bad_news_takes_its_time(answer: Answer) -> None:
    """A report that nothing works comes late."""
    if answer.status == 503:
        time.sleep(4.6)


@layer("health@2", "HEALTH-24")
def liveness_asks_backends(request: Request, server: Ask) -> Answer:
    """Liveness is the same as health."""
    request.path = request.path.replace("v1/health", "v1/inference/health")
    return server(request)
