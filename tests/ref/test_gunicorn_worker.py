"""The worker that gunicorn runs, and its log: nobody waits in vain for one that is told to stop, and nothing secret is quoted."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http import errors

from octomil_ref.gunicorn_worker import Log, Worker


class Poller:
    def register(self, *args) -> None:
        """Nothing is polled here."""

    unregister = register


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def worker(listener) -> Iterator[Worker]:
    worker = Worker(1, 1, [listener], None, 10, Config(), None)
    worker.poller = Poller()
    worker.alive = True
    worker.set_accept_enabled(True)
    yield worker
    worker.tmp.close()


def test_a_worker_that_stops_gives_its_listener_up(worker, listener):
    worker.alive = False

    worker.set_accept_enabled(False)

    assert listener.fileno() == -1


def test_a_worker_that_is_full_for_a_while_keeps_it(worker, listener):
    worker.set_accept_enabled(False)

    assert listener.fileno() != -1


class Wordbook:
    """Stands for gunicorn's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, line: str) -> None:
        self.lines.append(line)

    exception = warning


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (errors.InvalidHeader("Authorization Bearer a-token"), 400),
        (errors.InvalidRequestLine("a-token"), 400),
        (errors.InvalidChunkSize(b"a-token"), 400),
        (errors.UnsupportedTransferCoding("a-token"), 501),
        (errors.LimitRequestHeaders("a-token"), 431),
    ],
)
def test_a_request_that_cannot_be_read_is_named_and_not_quoted(worker, failure, status):
    worker.log = Wordbook()
    client, server = socket.socketpair()

    with client, server:
        worker.handle_error(None, server, ("127.0.0.1", 1), failure)
        answer = client.recv(65536)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"a-token" not in answer
    [line] = worker.log.lines
    assert line.endswith(type(failure).__name__)


def test_other_failures_are_logged_as_ever(worker):
    worker.log = Wordbook()
    client, server = socket.socketpair()

    with client, server:
        worker.handle_error(None, server, ("127.0.0.1", 1), ZeroDivisionError())
        answer = client.recv(65536)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert worker.log.lines == ["Error handling request (no URI read)"]


def test_what_a_client_that_left_had_sent_is_not_written_down(caplog, monkeypatch):
    log = Log(Config())
    monkeypatch.setattr(log.error_log, "propagate", True)
    caplog.set_level("DEBUG", log.error_log.name)

    log.debug("%s left: %s", "a client", errors.NoMoreData(b"a-token"))

    assert caplog.messages == ["a client left: NoMoreData"]
