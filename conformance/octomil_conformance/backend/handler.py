"""HTTP in front of the scenarios. The port says which backend is asked, the path in which dialect."""

import json
import socket
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.backend.ask import compact
from octomil_conformance.backend.last_acts import refuse
from octomil_conformance.backend.line import HungUp, Line, Stopped
from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.request import Request, read_body, understand
from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS
from octomil_conformance.backend.stage import Stage
from octomil_conformance.backend.stream_reply import StreamReply
from octomil_conformance.backend.whole_reply import WholeReply

CONTROL = "/conf/"

_JSON = "application/json"
_NAMES = [MODEL_PREFIX + name for name in SCENARIOS]
_OLLAMA_MODELS = {"models": [{"name": name, "model": name} for name in _NAMES]}
_OPENAI_MODELS = {
    "object": "list",
    "data": [{"id": name, "object": "model"} for name in _NAMES],
}

PAGES: dict[str, tuple[str, bytes]] = {
    "/": ("text/plain", b"Ollama is running"),
    "/api/version": (_JSON, compact({"version": "0.5.4-scripted"})),
    "/api/tags": (_JSON, compact(_OLLAMA_MODELS)),
    "/v1/models": (_JSON, compact(_OPENAI_MODELS)),
    "/models": (_JSON, compact(_OPENAI_MODELS)),
}
NOT_FOUND = ("text/plain", b"404 page not found")


class Handler(BaseHTTPRequestHandler):
    """All requests of one connection; made, it serves until the connection is to be closed."""

    protocol_version = "HTTP/1.1"
    server_version = "scripted-backend"
    sys_version = ""

    def __init__(self, connection: socket.socket, stage: Stage) -> None:
        self._stage = stage
        super().__init__(connection, connection.getpeername(), None)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        try:
            body = read_body(self.headers, self.rfile)
        except ValueError:
            self.send_error(400)
            return
        path = urlsplit(self.path).path
        if path.startswith(CONTROL):
            self._control(path.removeprefix(CONTROL), body)
            return
        headers = {name.lower(): text for name, text in self.headers.items()}
        backend = self._stage.backend
        self._answer(understand(self.command, path, headers, body, backend))

    do_GET = do_HEAD = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, request: Request) -> None:
        number = self._stage.witness.arrive(request.call(self._stage.backend))
        line = Line(self, self._stage, number, request.tag.nonce)
        try:
            if self._stage.outage:
                self._out_of_order(line)
            elif request.problem:
                why = request.problem
                error = request.dialect().error(why.status, why.message, "api_error")
                refuse(line, why.status, error, {})
            elif request.scenario:
                kind = StreamReply if request.ask.stream else WholeReply
                reply: Reply = kind(request.ask, request.dialect(), line)
                request.scenario.act(reply, self._stage.pace)
            else:
                self._page(line, request.path)
        except HungUp:
            line.ending("hung up")
            line.break_off()
        except Stopped:
            line.ending("stopped")
            line.break_off()

    def _out_of_order(self, line: Line) -> None:
        """An outage that keeps the port open."""
        if self._stage.outage == "fail":
            refuse(line, 503, {"error": "server busy"}, {})
            return
        line.await_restoration()
        line.ending("cut")
        line.break_off()

    def _page(self, line: Line, path: str) -> None:
        content_type, data = PAGES.get(path, NOT_FOUND)
        line.ending("answered")
        status = 200 if path in PAGES else 404
        line.head(status, {"Content-Type": content_type}, len(data))
        if self.command != "HEAD":
            line.write(data)

    def _control(self, name: str, body: bytes) -> None:
        try:
            arguments = json.loads(body or b"{}")
            result = self._stage.control(name, arguments, self.connection)
            status, answer = 200, compact({"result": result})
        except (LookupError, TypeError, ValueError) as ex:
            status, answer = 400, compact({"error": f"{type(ex).__name__}: {ex}"})
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
