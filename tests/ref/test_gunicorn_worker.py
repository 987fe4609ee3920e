"""The worker that gunicorn runs: nobody waits in vain for one that is told to stop."""

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from octomil_ref.gunicorn_worker import Worker


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
