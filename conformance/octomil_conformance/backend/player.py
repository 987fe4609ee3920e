"""Answers the requests of one provider: scenarios, pages, outages that keep the port open, and the control API."""

from octomil_conformance.backend.gated import GatedResponse, Outage, ProviderState
from octomil_conformance.backend.reply import StreamReply, WholeReply
from octomil_conformance.backend.request import Request, understand
from octomil_conformance.backend.response import ClientLeft, Response, Stopped, compact

CONTROL = "/conf/"
FAILING = {
    "fail": (503, "{host} is busy"),
    "deny": (401, "{key} is unknown at {host}"),
    "lost": (404, "{host} has no such page"),
    "limit": (429, "too many requests to {host}"),
}
"""Outages in which every request gets this status and this message."""


def play(state: ProviderState, response: Response) -> None:
    """Answers one request to this provider."""
    if response.request.path.startswith(CONTROL):
        return _control(state, response)
    request = understand(response.request, state.backend)
    outage = state.outage  # a check that sees the call may end the outage
    call = request.call(state.backend)
    state.witness.arrive(call)
    gated = GatedResponse(response, state, call)
    try:
        _answer(state, request, gated, outage)
    except ClientLeft:
        gated.break_off("hung up")
    except Stopped:
        gated.break_off("stopped")


def _answer(
    state: ProviderState, request: Request, gated: GatedResponse, outage: Outage | None
) -> None:
    if outage in FAILING:
        status, message = FAILING[outage]
        gated.answer(status, compact({"error": gated.quoting(message)}))
    elif outage == "text":
        gated.answer(200, b"OK", "text/plain")
    elif outage:
        if outage == "stall":
            gated.response.head(content_length="9", content_type="application/json")
            gated.response.send(b"{")
        gated.await_restoration()
        gated.break_off("cut")
    elif request.problem:
        why = request.problem
        error = request.dialect().error(why.status, why.message, "api_error")
        gated.answer(why.status, compact(error))
    elif request.scenario:
        kind = StreamReply if request.ask.stream else WholeReply
        request.scenario.play(kind(request.ask, request.dialect(), gated))
    elif page := request.page:
        gated.answer(page.status, page.body, page.content_type)


def _control(state: ProviderState, response: Response) -> None:
    name = response.request.path.removeprefix(CONTROL)
    try:
        arguments = response.request.json if response.request.body else {}
        result = state.control(name, arguments, response.wire)
        response.json(200, {"result": result})
    except (LookupError, TypeError, ValueError) as ex:
        response.json(400, {"error": f"{type(ex).__name__}: {ex}"})
