"""What gunicorn writes down of requests that it cannot read: their failure, and nothing that they hold."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http import errors

from octomil_ref.servers.gunicorn_log import Log
from octomil_ref.servers.gunicorn_worker import Worker


class Wordbook:
    """Stands for gunicorn's log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, line: str) -> None:
        self.lines.append(line)

    exception = warning


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(1, 1, [], None, 10, Config(), Wordbook())
    yield worker
    worker.tmp.close()


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
    client, server = socket.socketpair()

    with client, server:
        worker.handle_error(None, server, ("127.0.0.1", 1), failure)
        answer = client.recv(65536)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"a-token" not in answer
    [line] = worker.log.lines
    assert line.endswith(type(failure).__name__)


def test_other_failures_are_logged_as_ever(worker):
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
