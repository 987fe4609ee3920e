"""Waitress in this process, with the manners its own runner lacks: on SIGTERM it lets running requests finish while it takes
no new ones."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from octomil_ref.app import App
from octomil_ref.clock import Deadline
from octomil_ref.servers.door import LINGER, MAX_HEAD_BYTES, client_connections
from octomil_ref.servers.waitress_connection import Listener
from octomil_ref.settings import DEFAULT_THREADS, Settings, SettingsError

POLL_SECONDS = 0.5
"""How long the loop waits for a socket before it looks at the clock."""

ENDING = (signal.SIGTERM, signal.SIGINT)


class WaitressServer:
    """Listens from the start on; serves in `run`. Raises SettingsError where it cannot listen."""

    def __init__(self, settings: Settings) -> None:
        self._sockets: dict[int, Any] = {}
        self._listeners: list[Any] = []
        self._grace = settings.shutdown_grace
        self._stopping = threading.Event()
        try:
            self._listen(settings)
        except (OSError, ValueError) as ex:
            self.close()
            where = f"{settings.url_host()}:{settings.port}"
            why = getattr(ex, "strerror", ex)
            raise SettingsError(
                f"OCTOMIL_HOST, OCTOMIL_PORT (--host, --port): cannot listen on {where}: {why}"
            ) from ex
        self.port = int(self._listeners[0].effective_port)

    def _listen(self, settings: Settings) -> None:
        threads = settings.threads or DEFAULT_THREADS
        upstream_calls = threads + settings.batch_max_concurrency
        adjustments = Adjustments(
            host=settings.host,
            port=settings.port,
            threads=threads,
            connection_limit=client_connections(upstream_calls),
            asyncore_use_poll=True,  # select() ends at 512 connections
            channel_request_lookahead=1,  # so that a client that left shows at once
            max_request_header_size=MAX_HEAD_BYTES,
            # The app refuses larger bodies by itself, with an envelope; this bounds what is received to be refused.
            max_request_body_size=8 * settings.max_body_bytes,
        )
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        for address in adjustments.listen:  # the host's name may have several
            listener = Listener(
                None,  # who comes before there is an app waits for it
                self._sockets,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=address,
                client_timeout=settings.client_timeout,
            )
            self._listeners.append(listener)

    def run(self, app: App, announce: Callable[[], None]) -> None:
        """Returns after SIGTERM or Ctrl-C, when running requests have finished or their grace is over.

        `announce` tells people that the server is there, once it can be stopped.
        """
        for listener in self._listeners:
            listener.application = app
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
                channel.hurry(LINGER)
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
