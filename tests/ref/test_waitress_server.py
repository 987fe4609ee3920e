"""Waitress as `serve` runs it: our changes to it, which these tests guard against new versions, and its settings."""

import http.client
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from builders import WAIT

from octomil_ref import waitress_server
from octomil_ref.settings import Settings
from octomil_ref.waitress_server import WaitressServer


def hello(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def in_pieces(environ, start_response) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hel", b"lo"]


class Gated:
    """An application that answers when its gate opens."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.gate = threading.Event()

    def __call__(self, environ, start_response) -> list[bytes]:
        self.running.set()
        self.gate.wait(WAIT)
        return in_pieces(environ, start_response)


def port_of(server: WaitressServer) -> int:
    return int(server.url.rpartition(":")[2])


class Serving:
    """A server that runs on a thread, and the signals it gets."""

    def __init__(
        self, server: WaitressServer, app: Any, handlers: dict[int, Any]
    ) -> None:
        self.server = server
        self.handlers = handlers
        self.connections: list[http.client.HTTPConnection] = []
        self.announced = threading.Event()
        self.thread = threading.Thread(
            target=server.run, args=[app, self.announced.set]
        )

    def connection(self) -> http.client.HTTPConnection:
        """It is closed after the test."""
        port = port_of(self.server)
        self.connections.append(http.client.HTTPConnection("127.0.0.1", port, WAIT))
        return self.connections[-1]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Sends the signal, and waits until the server has taken it: it listens no more."""
        self.handlers[number](number, None)
        address = ("127.0.0.1", port_of(self.server))
        with pytest.raises(ConnectionRefusedError):
            while True:
                with suppress(ConnectionResetError):  # it stopped at this moment
                    socket.create_connection(address, WAIT).close()

    def has_ended(self) -> bool:
        self.thread.join(WAIT)
        return not self.thread.is_alive()


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[..., Serving]]:
    """A function that serves an application on a free port until the test ends."""
    handlers: dict[int, Any] = {}
    started: list[Serving] = []

    def serve(app: Callable[..., Iterable[bytes]], **given: object) -> Serving:
        settings = Settings(port=0, threads=2, **given)
        serving = Serving(WaitressServer(settings), app, handlers)
        started.append(serving)
        serving.thread.start()
        assert serving.announced.wait(WAIT)
        return serving

    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(waitress_server, "POLL_SECONDS", 0.01)
    yield serve
    for serving in started:
        for connection in serving.connections:
            connection.close()
        serving.server._stop(signal.SIGTERM, None)
        assert serving.has_ended()
        serving.server.close()


def answer(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/")
    return connection.getresponse().read()


LARGE = bytes(2_000_000)
"""More than waitress keeps in memory by default, of a request and of an answer."""


def echo(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", environ["CONTENT_LENGTH"])])
    return [environ["wsgi.input"].read()]


@pytest.mark.parametrize("writable", [True, False])
def test_large_bodies_and_answers_need_no_temporary_folder(
    serve, monkeypatch, tmp_path, caplog, writable
):
    folder = tmp_path if writable else tmp_path / "missing"
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    connection = serve(echo).connection()

    connection.request("POST", "/", LARGE)

    assert connection.getresponse().read() == LARGE
    said = "no temporary folder can be written: large bodies and answers stay in memory"
    assert caplog.messages == ([] if writable else [said])


def test_its_url_says_where_it_listens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    servers = [
        WaitressServer(Settings(host=host, port=0, threads=1, unix_socket=path))
        for host, path in [("127.0.0.1", ""), ("::1", ""), ("127.0.0.1", "a.sock")]
    ]

    urls = [re.sub(r"\d+$", "PORT", server.url) for server in servers]

    for server in servers:
        server.close()
    assert urls == ["http://127.0.0.1:PORT", "http://[::1]:PORT", "unix:a.sock"]


def test_a_chunked_answer_ends_the_connection_only_if_the_client_asks_for_it(serve):
    connection = serve(in_pieces).connection()

    for end in (None, None, "close"):
        headers = {"Connection": end} if end else {}
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()

        assert response.read() == b"hello"
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert response.getheader("Connection") == end


def breaking(failure: Exception) -> Callable[..., Iterator[bytes]]:
    """An application whose body breaks off."""

    def app(environ, start_response) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"hel"
        raise failure

    return app


@pytest.mark.parametrize(
    ("failure", "logged"), [(BrokenPipeError(), False), (KeyError("a bug"), True)]
)
def test_a_body_that_breaks_off_is_cut_and_logged_only_if_it_is_a_bug(
    serve, caplog, failure, logged
):
    connection = serve(breaking(failure)).connection()

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer(connection)

    tracebacks = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert (failure in tracebacks) == logged


@pytest.mark.parametrize(
    ("size", "limit", "status"),
    [(90, 1, 200), (100, 20, 200), (190, 20, 413)],
    ids=["less than is drained", "several times the limit", "even more"],
)
def test_a_body_reaches_the_app_which_refuses_it_unless_it_is_very_large(
    serve, monkeypatch, size, limit, status
):
    monkeypatch.setattr(waitress_server, "DRAIN_MAX_BYTES", 99)
    connection = serve(hello, max_body_bytes=limit).connection()

    connection.request("POST", "/", body=b"x" * size)

    assert connection.getresponse().status == status


def test_a_connection_without_traffic_is_closed(serve):
    connection = serve(hello, client_timeout=0.1).connection()
    connection.connect()

    connection.sock.sendall(b"GET / HT")

    assert connection.sock.recv(1) == b""


def said_by_us(caplog) -> list[str]:
    """Without waitress's own lines: on a busy machine it says how many requests wait."""
    return [line.message for line in caplog.records if line.name == "octomil_ref"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_a_second_one_ends_the_process_at_once(
    serve, caplog, number
):
    serving = serve(hello)
    answer(serving.connection())

    serving.stop(number)

    assert serving.has_ended()
    assert serving.handlers[number] == signal.SIG_DFL
    assert said_by_us(caplog) == []


def asked(serve, **given: object):
    """An application that has been asked, its server and the connection."""
    app = Gated()
    serving = serve(app, **given)
    connection = serving.connection()
    connection.request("GET", "/")
    assert app.running.wait(WAIT)
    return app, serving, connection


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, ["waiting for 1 requests; Ctrl-C again ends now"]),
        (signal.SIGTERM, []),
    ],
)
def test_a_running_request_is_finished_and_ctrl_c_says_what_it_waits_for(
    serve, caplog, number, said
):
    app, serving, connection = asked(serve)

    serving.stop(number)
    app.gate.set()

    assert connection.getresponse().read() == b"hello"
    assert serving.has_ended()
    assert said_by_us(caplog) == said


def test_a_request_that_is_still_arriving_is_answered_after_the_signal(serve):
    serving = serve(hello)
    connection = serving.connection()
    connection.connect()
    connection.sock.sendall(
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    interim = connection.sock.recv(1000)

    serving.stop()
    connection.sock.sendall(b"ab")
    answered = connection.sock.recv(1000)

    assert interim.startswith(b"HTTP/1.1 100")
    assert answered.startswith(b"HTTP/1.1 200")
    assert serving.has_ended()


def test_a_request_that_outlasts_its_grace_is_cut(serve):
    app, serving, connection = asked(serve, shutdown_grace=0.0)

    serving.stop()

    assert serving.has_ended()
    assert connection.sock.recv(1) == b""
    app.gate.set()
