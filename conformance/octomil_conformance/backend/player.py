"""Answers the requests of one provider: scenarios, pages, outages that keep the port open, and the control API."""

from octomil_conformance.backend.reply import StreamReply, WholeReply
from octomil_conformance.backend.request import Request, understand
from octomil_conformance.backend.response import ClientLeft, Response, Stopped, compact
from octomil_conformance.backend.stage import Line, Outage, Stage

CONTROL = "/conf/"
FAILING = {
    "fail": (503, "{host} is busy"),
    "deny": (401, "{key} is unknown at {host}"),
    "lost": (404, "{host} has no such page"),
    "limit": (429, "too many requests to {host}"),
}
"""Outages in which every request gets this status and this message."""


def play(stage: Stage, response: Response) -> None:
    """The script of an upstream on this stage."""
    if response.request.path.startswith(CONTROL):
        return _control(stage, response)
    request = understand(response.request, stage.backend)
    outage = stage.outage  # a check that sees the call may end the outage
    call = request.call(stage.backend)
    stage.witness.arrive(call)
    line = Line(response, stage, call)
    try:
        _answer(stage, request, line, outage)
    except ClientLeft:
        line.break_off("hung up")
    except Stopped:
        line.break_off("stopped")


def _answer(stage: Stage, request: Request, line: Line, outage: Outage | None) -> None:
    if outage in FAILING:
        status, message = FAILING[outage]
        line.answer(status, compact({"error": line.quoting(message)}))
    elif outage == "text":
        line.answer(200, b"OK", "text/plain")
    elif outage:
        if outage == "stall":
            line.response.head(content_length="9", content_type="application/json")
            line.response.send(b"{")
        line.await_restoration()
        line.break_off("cut")
    elif request.problem:
        why = request.problem
        error = request.dialect().error(why.status, why.message, "api_error")
        line.answer(why.status, compact(error))
    elif request.scenario:
        kind = StreamReply if request.ask.stream else WholeReply
        request.scenario.act(kind(request.ask, request.dialect(), line))
    elif page := request.page:
        line.answer(page.status, page.body, page.content_type)


def _control(stage: Stage, response: Response) -> None:
    name = response.request.path.removeprefix(CONTROL)
    try:
        arguments = response.request.json if response.request.body else {}
        result = stage.control(name, arguments, response.wire)
        response.json(200, {"result": result})
    except (LookupError, TypeError, ValueError) as ex:
        response.json(400, {"error": f"{type(ex).__name__}: {ex}"})
