"""Waitress in this process, with the manners its own runner lacks: on SIGTERM it lets running requests finish while it takes
no new ones, a stream that is cut looks cut to everybody, and no request can be read in two ways."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import WSGITask

from octomil_ref.app import App
from octomil_ref.clock import Deadline
from octomil_ref.settings import Settings, SettingsError
from octomil_ref.waitress_parser import StrictParser

POLL_SECONDS = 0.5
"""How long the loop waits for a socket before it looks at the clock."""

ENDING = (signal.SIGTERM, signal.SIGINT)

MAX_CONNECTIONS = 2000
"""Open connections; waitress keeps idle ones without a thread."""


class _Task(WSGITask):
    """Sends a body in chunks without `Connection: close`, behind which Node's fetch takes a cut answer for a whole one."""

    def set_close_on_finish(self) -> None:
        headers: dict[str, str] = getattr(self.request, "headers", {})
        wanted = headers.get("CONNECTION", "").lower() == "close"
        if not self.chunked_response or self.wrote_header or wanted:
            super().set_close_on_finish()


class _Channel(HTTPChannel):
    task_class = _Task
    parser_class = StrictParser


class WaitressServer:
    """Listens from the start on; serves in `run`. Raises SettingsError where it cannot listen."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._sockets: dict[int, Any] = {}
        self._grace = settings.shutdown_grace
        self._stopping = threading.Event()
        try:
            self._listen(app, settings)
        except (OSError, ValueError) as ex:
            self.close()
            where = f"{settings.host}:{settings.port}"
            raise SettingsError(
                f"OCTOMIL_HOST, OCTOMIL_PORT: cannot listen on {where}: {ex}"
            ) from ex
        # One for each address that the host's name has.
        self._listeners: list[Any] = [
            each for each in self._sockets.values() if isinstance(each, BaseWSGIServer)
        ]
        for listener in self._listeners:
            listener.channel_class = _Channel
        self.port = int(self._listeners[0].effective_port)

    def _listen(self, app: App, settings: Settings) -> None:
        create_server(
            app,
            map=self._sockets,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            connection_limit=MAX_CONNECTIONS,
            asyncore_use_poll=True,  # select() ends at 512 connections
            channel_request_lookahead=1,  # so that a client that left shows at once
            # The app refuses larger bodies by itself, with an envelope; this bounds what is received to be refused.
            max_request_body_size=8 * settings.max_body_bytes,
        )

    def run(self, announce: Callable[[], None]) -> None:
        """Returns after SIGTERM or Ctrl-C, when running requests have finished or their grace is over.

        `announce` tells people that the server is there, once it can be stopped.
        """
        for number in ENDING:
            signal.signal(number, self._stop)
        announce()
        while not self._stopping.is_set():
            self._poll()
        self._finish()
        self.close()

    def close(self) -> None:
        """Gives all sockets back, whatever they are doing."""
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _stop(self, number: int, frame: object) -> None:
        # A second signal ends the process at once.
        for each in ENDING:
            signal.signal(each, signal.SIG_DFL)
        self._stopping.set()
        self._listeners[0].pull_trigger()

    def _finish(self) -> None:
        for listener in self._listeners:
            listener.del_channel()
            listener.socket.close()
        deadline = Deadline(self._grace)
        while (channels := self._channels()) and deadline.remaining() > 0:
            for channel in channels:
                if not channel.requests and channel.request is None:
                    channel.close_when_flushed = True
            self._poll()

    def _channels(self) -> list[Any]:
        """Connections, those that wait for a next request too."""
        return [
            channel
            for listener in self._listeners
            for channel in listener.active_channels.values()
        ]

    def _poll(self) -> None:
        wasyncore.loop(POLL_SECONDS, use_poll=True, map=self._sockets, count=1)
