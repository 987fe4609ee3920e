"""Answers the requests of one provider: scenarios, pages, outages that keep the port open, and the control API."""

from octomil_conformance.backend.reply import Reply, StreamReply, WholeReply
from octomil_conformance.backend.request import Request, understand
from octomil_conformance.backend.response import (
    ClientLeft,
    Response,
    Stopped,
    compact,
)
from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS
from octomil_conformance.backend.stage import JSON, Line, Stage

CONTROL = "/conf/"

_NAMES = [MODEL_PREFIX + name for name in SCENARIOS]
_OLLAMA_MODELS = {"models": [{"name": name, "model": name} for name in _NAMES]}
_OPENAI_MODELS = {
    "object": "list",
    "data": [{"id": name, "object": "model"} for name in _NAMES],
}

PAGES: dict[str, tuple[str, bytes]] = {
    "/": ("text/plain", b"Ollama is running"),
    "/api/version": (JSON, compact({"version": "0.5.4-scripted"})),
    "/api/tags": (JSON, compact(_OLLAMA_MODELS)),
    "/v1/models": (JSON, compact(_OPENAI_MODELS)),
    "/models": (JSON, compact(_OPENAI_MODELS)),
}
NOT_FOUND = ("text/plain", b"404 page not found")


class Player:
    """The script of an upstream on this stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, response: Response) -> None:
        if response.request.path.startswith(CONTROL):
            self._control(response)
            return
        request = understand(response.request, self._stage.backend)
        number = self._stage.witness.arrive(request.call(self._stage.backend))
        line = Line(response, self._stage, number, request.tag.nonce)
        try:
            self._answer(request, line)
        except ClientLeft:
            line.break_off("hung up")
        except Stopped:
            line.break_off("stopped")

    def _answer(self, request: Request, line: Line) -> None:
        if self._stage.outage == "fail":
            line.answer(503, compact({"error": "server busy"}))
        elif self._stage.outage:
            line.await_restoration()
            line.break_off("cut")
        elif request.problem:
            why = request.problem
            error = request.dialect().error(why.status, why.message, "api_error")
            line.answer(why.status, compact(error))
        elif request.scenario:
            kind = StreamReply if request.ask.stream else WholeReply
            reply: Reply = kind(request.ask, request.dialect(), line)
            request.scenario.act(reply, self._stage.pace)
        else:
            path = request.received.path
            content_type, data = PAGES.get(path, NOT_FOUND)
            line.answer(200 if path in PAGES else 404, data, content_type)

    def _control(self, response: Response) -> None:
        name = response.request.path.removeprefix(CONTROL)
        try:
            arguments = response.request.json if response.request.body else {}
            result = self._stage.control(name, arguments, response.wire)
            response.json(200, {"result": result})
        except (LookupError, TypeError, ValueError) as ex:
            response.json(400, {"error": f"{type(ex).__name__}: {ex}"})
