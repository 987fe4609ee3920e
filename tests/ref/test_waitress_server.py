"""Waitress with manners: it listens from the start on, and on a signal lets running requests finish."""

import http.client
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from octomil_ref.servers import waitress_server
from octomil_ref.servers.waitress_connection import Channel
from octomil_ref.servers.waitress_server import WaitressServer
from octomil_ref.settings import Settings, SettingsError

PATIENCE = 20
"""Seconds after which a test gives up that would hang."""


def hello(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Gated:
    """An application that answers when its gate opens."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.gate = threading.Event()

    def __call__(self, environ, start_response) -> list[bytes]:
        self.running.set()
        self.gate.wait(PATIENCE)
        return hello(environ, start_response)


class Grace:
    """Stands for Deadline in the server: tells when the server waits for running requests, and runs out when told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.left = 1.0

    def __call__(self, seconds: float) -> "Grace":
        self.seconds = seconds
        return self

    def remaining(self) -> float:
        self.begun.set()
        return self.left


class Serving:
    """A server that runs on a thread, and the signals it gets."""

    def __init__(
        self, server: WaitressServer, app: Any, handlers: dict[int, object]
    ) -> None:
        self.server = server
        self.handlers = handlers
        self.announced = threading.Event()
        self.thread = threading.Thread(
            target=server.run, args=[app, self.announced.set]
        )

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.handlers[number](number, None)

    def has_ended(self) -> bool:
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.server.port, PATIENCE)


@pytest.fixture
def grace(monkeypatch) -> Grace:
    grace = Grace()
    monkeypatch.setattr(waitress_server, "Deadline", grace)
    return grace


@pytest.fixture
def serve(monkeypatch, grace) -> Iterator[Callable[..., Serving]]:
    """A function that serves an application on a free port; whatever still runs is ended after the test."""
    handlers: dict[int, object] = {}
    started: list[Serving] = []

    def handle(number: int, handler: object) -> None:
        handlers[number] = handler

    def serve(app: Callable[..., list[bytes]], **given: object) -> Serving:
        settings = Settings(port=0, threads=2, **given)
        serving = Serving(WaitressServer(settings), app, handlers)
        started.append(serving)
        serving.thread.start()
        assert serving.announced.wait(PATIENCE)
        return serving

    monkeypatch.setattr(signal, "signal", handle)
    # Whatever is to happen must not wait for the loop to look at the clock.
    monkeypatch.setattr(waitress_server, "POLL_SECONDS", 2.0 * PATIENCE)
    yield serve
    for serving in started:
        grace.left = 0.0
        with suppress(OSError):  # it may be about to end by itself
            serving.server._stop(signal.SIGTERM, None)
        assert serving.has_ended()
        for listener in serving.server._listeners:
            listener.task_dispatcher.shutdown()
        serving.server.close()


def answer(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/")
    return connection.getresponse().read()


def test_it_can_be_stopped_before_it_is_announced(serve):
    serving = serve(hello)

    assert serving.announced.is_set()
    assert {signal.SIGTERM, signal.SIGINT} <= set(serving.handlers)


def in_pieces(environ, start_response) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hel", b"lo"]


def test_a_body_in_chunks_does_not_announce_the_end_of_the_connection(serve):
    connection = serve(in_pieces).connection()
    connection.request("GET", "/")
    first = connection.getresponse()
    body = first.read()

    again = answer(connection)

    connection.close()
    assert first.getheader("Connection") is None
    assert (body, again) == (b"hello", b"hello")


def test_a_client_that_wants_the_connection_closed_gets_that(serve):
    connection = serve(in_pieces).connection()

    connection.request("GET", "/", headers={"Connection": "close"})
    response = connection.getresponse()
    response.read()

    connection.close()
    assert response.getheader("Connection") == "close"


def test_it_listens_before_it_serves():
    server = WaitressServer(Settings(port=0, threads=1))

    with socket.create_connection(("127.0.0.1", server.port), PATIENCE):
        pass

    server.close()


def test_it_serves_on_the_port_that_it_names(serve):
    connection = serve(hello).connection()

    body = answer(connection)

    connection.close()
    assert body == b"hello"


@pytest.mark.parametrize(
    "size, status",
    [(60, 200), (160, 413)],
    ids=["several times the limit is the application's to refuse", "more is not"],
)
def test_a_body_of(serve, size, status):
    connection = serve(hello, max_body_bytes=10).connection()

    connection.request("POST", "/", body=b"x" * size)
    answered = connection.getresponse()
    answered.read()

    connection.close()
    assert answered.status == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(serve, number):
    serving = serve(hello)

    serving.stop(number)

    assert serving.has_ended()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(serve, number):
    serving = serve(hello)

    serving.stop(number)

    assert serving.handlers[number] == signal.SIG_DFL


def test_a_running_request_is_finished_after_the_signal(serve, grace):
    app = Gated()
    serving = serve(app)
    connection = serving.connection()
    connection.request("GET", "/")
    app.running.wait(PATIENCE)

    serving.stop()
    assert grace.begun.wait(PATIENCE)
    app.gate.set()
    body = connection.getresponse().read()

    connection.close()
    assert body == b"hello"
    assert serving.has_ended()


def test_a_request_that_is_still_arriving_is_answered_after_the_signal(serve, grace):
    serving = serve(hello)
    connection = serving.connection()
    connection.connect()
    connection.sock.sendall(
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    interim = connection.sock.recv(1000)

    serving.stop()
    assert grace.begun.wait(PATIENCE)
    connection.sock.sendall(b"ab")
    answer = connection.sock.recv(1000)

    connection.close()
    assert interim.startswith(b"HTTP/1.1 100")
    assert answer.startswith(b"HTTP/1.1 200")
    assert serving.has_ended()


def test_new_connections_are_refused_after_the_signal(serve, grace):
    app = Gated()
    serving = serve(app)
    running = serving.connection()
    running.request("GET", "/")
    app.running.wait(PATIENCE)

    serving.stop()
    assert grace.begun.wait(PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        serving.connection().connect()

    app.gate.set()
    running.close()


def test_a_connection_that_waits_for_a_next_request_does_not_hold_the_end_up(serve):
    serving = serve(hello)
    idle = serving.connection()
    answer(idle)

    serving.stop()

    assert serving.has_ended()
    idle.close()


def test_who_stops_within_a_head_is_hurried_after_the_signal(serve, grace, monkeypatch):
    hurried: queue.Queue[float] = queue.Queue()
    monkeypatch.setattr(Channel, "hurry", lambda _, seconds: hurried.put(seconds))
    serving = serve(hello)
    connection = serving.connection()
    answer(connection)
    connection.sock.sendall(b"GET / HT")

    serving.stop()

    assert hurried.get(timeout=PATIENCE) == 2
    connection.close()


def test_a_request_that_outlasts_its_grace_is_left(serve, grace):
    app = Gated()
    grace.left = 0.0
    serving = serve(app, shutdown_grace=7.5)
    connection = serving.connection()
    connection.request("GET", "/")
    app.running.wait(PATIENCE)

    serving.stop()

    assert serving.has_ended()
    assert grace.seconds == 7.5
    assert connection.sock.recv(1) == b""
    app.gate.set()
    connection.close()


def test_a_port_that_is_taken_is_a_wrong_setting():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(SettingsError) as caught:
            WaitressServer(Settings(port=port, threads=1))

    assert str(caught.value) == (
        "OCTOMIL_HOST, OCTOMIL_PORT (--host, --port): "
        f"cannot listen on 127.0.0.1:{port}: Address already in use"
    )


def test_a_host_that_is_none_is_a_wrong_setting():
    with pytest.raises(SettingsError, match="cannot listen on 256.0.0.1:0: "):
        WaitressServer(Settings(host="256.0.0.1", port=0, threads=1))
