"""Waitress, as `octomil-ref serve` and the demo run it: on SIGTERM it takes no new requests and lets running ones finish.

Waitress alone stops at once, and announces `Connection: close` with each chunked answer. This module changes both through a few
names that waitress's documentation does not mention: `channel_class`, `task_class`, `set_close_on_finish`, `requests`,
`request`, `close_when_flushed`.
"""

import logging
import math
import signal
import tempfile
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import WSGITask

from octomil_ref.body import DRAIN_MAX_BYTES
from octomil_ref.clock import Deadline
from octomil_ref.listening import listen
from octomil_ref.middleware import App
from octomil_ref.settings import DEFAULT_THREADS, IDLE_CONNECTIONS, Settings

log = logging.getLogger("octomil_ref")

POLL_SECONDS = 0.5  # the longest wait for a socket before the loop looks for a signal
NEVER = 2**62  # more bytes than a request or a response has

ENDING = (signal.SIGTERM, signal.SIGINT)


class Task(WSGITask):
    """Sends a chunked answer without `Connection: close`: with this header, Node's fetch reads a cut answer as a whole one."""

    request: Any  # the stubs take it for an error

    def set_close_on_finish(self) -> None:
        wanted = self.request.headers.get("CONNECTION", "").lower() == "close"
        if not self.chunked_response or self.wrote_header or wanted:
            super().set_close_on_finish()


class Channel(HTTPChannel):
    task_class = Task


class WaitressServer:
    """Listens from the start; serves in `run`. Raises SettingsError if it cannot listen."""

    def __init__(self, settings: Settings) -> None:
        self._grace = settings.shutdown_grace
        self._signal = 0  # the number of the signal that ends the server
        self._spills = can_write_temporary_files()
        self._sockets: dict[int, Any] = {}  # the loop's: listeners and connections
        create_server(
            lambda *arguments: self._app(*arguments),
            map=self._sockets,
            sockets=listen(settings),
            **_adjustments(settings, self._spills),
        )
        self._listeners = self._all(BaseWSGIServer)  # a host may have several addresses
        for listener in self._listeners:
            listener.channel_class = Channel
        self.url = settings.address()
        if not settings.unix_socket:
            port = int(self._listeners[0].effective_port)
            self.url = f"http://{settings.url_host()}:{port}"

    def run(self, app: App, announce: Callable[[], None]) -> None:
        """Returns after SIGTERM or Ctrl-C, when running requests have finished or their grace is over.

        `announce` is called when the server can be stopped. A second signal ends the process at once.
        """
        self._app = app
        if not self._spills:
            log.warning(
                "no temporary folder can be written: large bodies and answers stay in memory"
            )
        for number in ENDING:
            signal.signal(number, self._stop)
        announce()
        while not self._signal:
            self._poll()
        running = sum(bool(channel.requests) for channel in self._all(HTTPChannel))
        if self._signal == signal.SIGINT and running:
            log.warning(f"waiting for {running} requests; Ctrl-C again ends now")
        for listener in self._listeners:
            # Not its own close(), which also closes the pipe by which threads wake the loop.
            wasyncore.dispatcher.close(listener)
        self._finish_requests()

    def close(self) -> None:
        """Closes all sockets, whatever they are doing."""
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _stop(self, number: int, frame: object) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_DFL)
        self._signal = number

    def _finish_requests(self) -> None:
        deadline = Deadline(self._grace)
        while (channels := self._all(HTTPChannel)) and deadline.remaining() > 0:
            for channel in channels:
                if not channel.requests and not channel.request:
                    channel.close_when_flushed = True
            self._poll()
        for channel in self._all(HTTPChannel):
            channel.handle_close()

    def _all(self, kind: type) -> list[Any]:
        return [each for each in self._sockets.values() if isinstance(each, kind)]

    def _poll(self) -> None:
        wasyncore.loop(POLL_SECONDS, use_poll=True, map=self._sockets, count=1)


def can_write_temporary_files() -> bool:
    try:
        with tempfile.TemporaryFile():
            return True
    except OSError:
        return False


def _adjustments(settings: Settings, spills: bool) -> dict[str, Any]:
    """https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html"""
    threads = settings.threads or DEFAULT_THREADS
    # Larger requests and responses go to a temporary file. If that fails, waitress closes the connection.
    overflows = {} if spills else {"inbuf_overflow": NEVER, "outbuf_overflow": NEVER}
    return {
        **overflows,
        "threads": threads,
        "connection_limit": threads + IDLE_CONNECTIONS,
        "channel_timeout": math.ceil(settings.client_timeout),
        "cleanup_interval": 1,  # seconds between two looks at the channel timeout
        "asyncore_use_poll": True,  # select() fails at 512 connections
        "channel_request_lookahead": 1,  # a client that left is noticed at once
        "max_request_header_size": 65536,
        # No tracebacks when a client leaves or a stream is cut on purpose: the log line of the request says so.
        "log_socket_errors": False,
        # The app refuses larger bodies itself, with an envelope; this limit bounds how much of them is received.
        "max_request_body_size": max(DRAIN_MAX_BYTES, 8 * settings.max_body_bytes),
    }
