"""Streams that stay open while a test stops, kills or reloads the server, or leaves them."""

import threading
from typing import Any

import httpx
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says
from octomil_conformance.backend.upstream import Script
from reference import PATIENCE, Reference


def talks_until_hangup(left: threading.Event, over: threading.Event) -> Script:
    """Sends a first token, and more tokens after `left`. Sets `over` when the server has closed the connection."""

    def script(response: Response) -> None:
        response.start_chunked(NDJSON)
        response.chunk(OLLAMA.token("Good"))
        response.wait(left)
        while not response.wait_for_hangup(timeout=0.1):
            response.chunk(OLLAMA.token(" more"))
        over.set()

    return script


class OpenStream:
    """A stream in a client: one token has arrived, the other one waits for `gate`."""

    def __init__(self, server: Reference) -> None:
        self.gate = threading.Event()
        self.port = 0
        """The client's port."""
        self.events: list[dict[str, Any]] = []
        self.failure: httpx.HTTPError | None = None
        self._server = server
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._read)

    @property
    def text(self) -> str:
        return "".join(event["token"] for event in self.events)

    def begin(self) -> None:
        held = says("Good", " morning", gate=self.gate)
        self._server.ollama.on("/api/chat", held, says("Good", " morning"))
        self._thread.start()
        assert self._first.wait(PATIENCE)

    def end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        try:
            with self._server.stream() as events:
                wire = events.response.extensions["network_stream"]
                self.port = wire.get_extra_info("client_addr")[1]
                self.events.append(events.next())
                self._first.set()
                self.events = events.rest()
        except httpx.HTTPError as failure:
            self.failure = failure
