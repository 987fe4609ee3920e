"""The worker that gunicorn runs, with one thread and real clients: none that is slow, silent or one too many holds up another."""

import errno
import os
import queue
import selectors
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers import gthread
from gunicorn.workers.gthread import ThreadWorker

from octomil_ref.servers import gunicorn_worker
from octomil_ref.servers.gunicorn_worker import Worker

PATIENCE = 20
"""Seconds after which a test gives up that would hang."""

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GET_WITH_BODY = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def hello(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Serving:
    """A worker that runs on a thread, as gunicorn's arbiter would have started it."""

    def __init__(self, listener: socket.socket) -> None:
        config = Config()
        config.set("threads", 1)
        self.worker = Worker(
            1, os.getppid(), [listener], None, 10, config, Logger(config)
        )
        self.worker.wsgi = hello
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = selectors.DefaultSelector()
        self.worker.method_queue.init()
        self.dropped: queue.Queue[object] = queue.Queue()
        self.address = listener.getsockname()
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self.worker.run)

    def start(self) -> None:
        self._thread.start()

    def client(self, said: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.address, PATIENCE)
        self._clients.append(client)
        client.sendall(said)
        return client

    def stop(self) -> bool:
        """Whether it ends."""
        if self._thread.is_alive():
            self.worker.handle_exit(0, None)
            self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        assert self.stop()
        self.worker.tpool.shutdown()
        self.worker.tmp.close()


def answer(client: socket.socket) -> bytes:
    """The next answer's status line; the whole of it is taken in."""
    with client.makefile("rb") as file:
        status = file.readline().rstrip()
        lines = iter(file.readline, b"\r\n")
        [length] = [int(line[15:]) for line in lines if line.startswith(b"Content-L")]
        file.read(length)
    return status


OK = b"HTTP/1.1 200 OK"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def stopped(listener, monkeypatch) -> Iterator[Serving]:
    serving = Serving(listener)
    drop = Worker._drop

    def and_tell(worker: Worker, conn: object) -> None:
        drop(worker, conn)
        serving.dropped.put(conn)

    monkeypatch.setattr(Worker, "_drop", and_tell)
    yield serving
    serving.close()


@pytest.fixture
def serving(stopped) -> Serving:
    stopped.start()
    return stopped


@pytest.fixture
def hasty(stopped) -> Serving:
    """It waits a short time only."""
    stopped.worker.client_timeout = 0.1
    stopped.start()
    return stopped


def test_a_connection_serves_one_request_after_the_other(serving):
    client = serving.client()

    answers = []
    for _ in range(3):
        client.sendall(GET)
        answers.append(answer(client))

    assert answers == [OK] * 3


def test_requests_that_came_together_are_answered_in_turn(serving):
    with serving.client(GET + GET + LAST_GET).makefile("rb") as file:
        everything = file.read()

    assert everything.count(OK) == 3
    assert everything.count(b"hello") == 3


@pytest.mark.parametrize(
    "said", [b"", b"G", GET[:-1]], ids=["nothing", "a byte", "most"]
)
def test_clients_that_have_not_said_all_keep_nobody_waiting(serving, said):
    slow = [serving.client(said) for _ in range(3)]

    quick = answer(serving.client(GET))
    for client in slow:
        client.sendall(GET.removeprefix(said))

    assert quick == OK
    assert [answer(client) for client in slow] == [OK] * 3


def test_a_head_may_come_byte_by_byte(serving):
    client = serving.client()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    for value in GET:
        client.sendall(bytes([value]))
        assert answer(serving.client(LAST_GET)) == OK  # so that each byte comes alone

    assert answer(client) == OK


LARGE = 70_000


def large(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", str(LARGE))])
    return [b"x" * LARGE]


def reluctant(serving: Serving) -> socket.socket:
    """A client that asks for much and takes nothing of it."""
    serving.worker.wsgi = large
    client = socket.socket()
    serving._clients.append(client)
    client.settimeout(PATIENCE)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(serving.address)
    client.sendall(GET * 9 + LAST_GET)
    return client


def test_a_client_that_takes_nothing_keeps_nobody_waiting(serving):
    client = reluctant(serving)

    quick = answer(serving.client(GET))

    with client.makefile("rb") as file:
        everything = file.read()
    assert quick == OK
    assert everything.count(OK) == 10
    assert everything.count(b"x") >= 10 * LARGE


def test_a_client_that_takes_nothing_is_let_go(hasty):
    reluctant(hasty)

    hasty.dropped.get(timeout=PATIENCE)


@pytest.mark.parametrize("said", [b"", b"GET / HT"], ids=["nothing", "a part"])
def test_a_client_that_does_not_go_on_is_let_go(hasty, said):
    client = hasty.client(said)

    assert client.recv(1) == b""


def test_one_that_drips_is_let_go_before_one_that_came_later(stopped):
    stopped.worker.client_timeout = 0.1
    first, second = stopped.client(b"G"), stopped.client(b"G")
    stopped.start()
    first.sendall(b"E")

    gone = [stopped.dropped.get(timeout=PATIENCE).client[1] for _ in range(2)]

    assert gone == [first.getsockname()[1], second.getsockname()[1]]


@pytest.mark.parametrize("said", [b"", b"GET / HT"], ids=["nothing", "a part"])
def test_a_client_that_leaves_before_it_has_said_all_leaves_nothing(serving, said):
    client = serving.client(said)

    client.shutdown(socket.SHUT_WR)

    assert client.recv(1) == b""
    client.close()
    serving.dropped.get(timeout=PATIENCE)
    assert serving.worker.nr_conns == 0


def test_a_client_that_breaks_off_leaves_nothing(serving):
    client = serving.client(b"GET / HT")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    client.close()

    serving.dropped.get(timeout=PATIENCE)
    assert serving.worker.nr_conns == 0


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nHost: x\n", b"GET / HTTP/1.1\r\n\n"],
)
def test_a_line_that_ends_wrongly_is_refused_at_once(serving, said):
    assert answer(serving.client(said)).startswith(b"HTTP/1.1 400")


def test_a_head_without_end_is_refused(serving):
    head = GET[:-2] + b"X: y\r\n" * 12_000

    assert answer(serving.client(head)).startswith(b"HTTP/1.1 431")


def test_who_is_refused_and_has_left_ends_nothing(serving, monkeypatch):
    def gone(*args: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(gunicorn_worker.util, "write_error", gone)

    refused = serving.client(GET[:-2] + b"X: y\r\n" * 12_000)

    assert refused.recv(1) == b""
    assert answer(serving.client(GET)) == OK


def test_a_body_that_nobody_reads_is_not_waited_for(serving, monkeypatch):
    monkeypatch.setattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT", 10 * PATIENCE)

    client = serving.client(GET_WITH_BODY)

    assert answer(client) == OK
    assert client.recv(1) == b""


def test_behind_a_body_that_nobody_reads_the_next_request_is_answered(serving):
    with serving.client(GET_WITH_BODY + b"12345" + LAST_GET).makefile("rb") as file:
        everything = file.read()

    assert everything.count(OK) == 2


def test_a_client_that_does_not_close_keeps_nobody_waiting(serving, monkeypatch):
    monkeypatch.setattr(gunicorn_worker, "LINGER", PATIENCE)
    finished = [serving.client(LAST_GET) for _ in range(3)]
    for client in finished:
        assert answer(client) == OK
        assert client.recv(1) == b""

    quick = answer(serving.client(GET))

    assert quick == OK
    assert serving.dropped.empty()


def test_a_client_that_does_not_close_is_let_go(stopped, monkeypatch):
    monkeypatch.setattr(gunicorn_worker, "LINGER", 0.1)
    stopped.start()
    answer(stopped.client(LAST_GET))

    stopped.dropped.get(timeout=PATIENCE)

    assert stopped.worker.nr_conns == 0


def test_a_client_that_sends_too_much_does_not_lose_its_answer(serving):
    client = serving.client(LAST_GET)
    client.sendall(b"x" * 1_000_000)

    with client.makefile("rb") as file:
        everything = file.read()

    client.close()
    assert everything.startswith(OK) and everything.endswith(b"hello")
    serving.dropped.get(timeout=PATIENCE)


def test_a_worker_that_stops_gives_its_listener_up(serving, listener):
    assert serving.stop()

    assert listener.fileno() == -1


def test_a_worker_that_stops_does_not_wait_for_who_says_nothing(serving):
    silent = serving.client()
    answer(serving.client(GET))

    assert serving.stop()
    assert silent.recv(1) == b""


def test_a_worker_that_is_full_for_a_while_keeps_its_listener(stopped, listener):
    stopped.worker.alive = True
    stopped.worker.set_accept_enabled(True)

    stopped.worker.set_accept_enabled(False)

    assert listener.fileno() != -1


class Refusing:
    """A listener whose accept() fails."""

    def __init__(self, number: int) -> None:
        self._number = number

    def accept(self) -> None:
        raise OSError(self._number, os.strerror(self._number))


@pytest.fixture
def accepting(stopped) -> Worker:
    stopped.worker.set_accept_enabled(True)
    return stopped.worker


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_without_a_descriptor_nobody_is_let_in_for_a_while(accepting, tls):
    accepting.cfg = SimpleNamespace(is_ssl=tls)

    accepting.accept(Refusing(errno.EMFILE))
    accepting.set_accept_enabled(True)

    assert not accepting.poller.get_map()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNABORTED])
def test_a_client_that_left_at_the_door_changes_nothing(accepting, number):
    accepting.accept(Refusing(number))

    assert len(accepting.poller.get_map()) == 1


def test_a_listener_that_is_broken_is_not_borne(accepting):
    with pytest.raises(OSError, match="Bad file descriptor"):
        accepting.accept(Refusing(errno.EBADF))


def test_tls_is_left_to_gunicorn(stopped, monkeypatch):
    accepted, queued = [], []
    monkeypatch.setattr(ThreadWorker, "accept", lambda _, each: accepted.append(each))
    monkeypatch.setattr(ThreadWorker, "enqueue_req", lambda _, one: queued.append(one))
    stopped.worker.cfg = SimpleNamespace(is_ssl=True)

    stopped.worker.accept("listener")
    stopped.worker.enqueue_req("connection")

    assert (accepted, queued) == (["listener"], ["connection"])
