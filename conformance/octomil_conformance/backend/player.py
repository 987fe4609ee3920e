"""Answers the requests of one provider: scenarios, pages, outages that keep the port open, and the control API."""

from octomil_conformance.backend.dialects import reader_of
from octomil_conformance.backend.pages import UNKNOWN, Page, page_for
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


class Player:
    """The script of an upstream on this stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, response: Response) -> None:
        if response.request.path.startswith(CONTROL):
            self._control(response)
            return
        request = understand(response.request, self._stage.backend)
        page = self._page(request)
        outage = self._stage.outage  # a check that sees the call may end the outage
        call = request.call(self._stage.backend, is_unknown=page is UNKNOWN)
        self._stage.witness.arrive(call)
        line = Line(response, self._stage, call)
        try:
            self._answer(request, line, page, outage)
        except ClientLeft:
            line.break_off("hung up")
        except Stopped:
            line.break_off("stopped")

    def _page(self, request: Request) -> Page | None:
        """The script for a page; None for a chat or embeddings."""
        received, body = request.received, request.body
        if received.method == "POST" and reader_of(received.path):
            return None
        model = body.get("model", "") if isinstance(body, dict) else ""
        return page_for(received, str(model), self._stage.backend)

    def _answer(
        self, request: Request, line: Line, page: Page | None, outage: Outage | None
    ) -> None:
        if outage in FAILING:
            status, message = FAILING[outage]
            line.answer(status, compact({"error": line.quoting(message)}))
        elif outage:
            line.await_restoration()
            line.break_off("cut")
        elif request.problem:
            why = request.problem
            error = request.dialect().error(why.status, why.message, "api_error")
            line.answer(why.status, compact(error))
        elif request.scenario:
            kind = StreamReply if request.ask.stream else WholeReply
            request.scenario.act(kind(request.ask, request.dialect(), line))
        elif page:
            line.answer(page.status, page.body, page.content_type)

    def _control(self, response: Response) -> None:
        name = response.request.path.removeprefix(CONTROL)
        try:
            arguments = response.request.json if response.request.body else {}
            result = self._stage.control(name, arguments, response.wire)
            response.json(200, {"result": result})
        except (LookupError, TypeError, ValueError) as ex:
            response.json(400, {"error": f"{type(ex).__name__}: {ex}"})
