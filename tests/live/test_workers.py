"""Several workers under gunicorn: clients notice as little as possible if one is killed, one hangs, or all are reloaded."""

import os
import signal
import threading
from contextlib import contextmanager

import httpx
import pytest
from linux import family, holder_of
from open_streams import OpenStream
from processes import serve
from reference import ASK, PATIENCE, client_of, http_request, reference

pytestmark = pytest.mark.machine


@pytest.fixture
def server():
    # A worker that hangs is replaced earlier than a silent upstream is given up.
    sooner = {"GUNICORN_CMD_ARGS": "--timeout 8"}
    with reference(serve, "gunicorn", "--workers", "2", **sooner) as server:
        wait_until_both_answer(server)
        yield server


def workers(server):
    return family(server.process.pid)[1:]


def wait_until_both_answer(server):
    """One may have been long ready when the other one has just been forked."""
    answered = set()
    for _ in range(int(PATIENCE / 0.01)):
        with server.connect() as client:
            client.sendall(http_request("/health", method="GET"))
            assert client.recv(12) == b"HTTP/1.1 200"
            port = client.getsockname()[1]
            answered.add(holder_of(server.port, port, workers(server)))
        if len(answered) == 2:
            return
        threading.Event().wait(0.01)
    raise TimeoutError("one worker answers all")


def one_stream_each(server):
    """A running stream for each worker."""
    found = {}
    spare = []
    for _ in range(50):  # a server has places for this many streams
        stream = OpenStream(server)
        stream.begin()
        worker = holder_of(server.port, stream.port, workers(server))
        if worker in found:
            spare.append(stream)
        found.setdefault(worker, stream)
        if len(found) == 2:
            break
    for stream in spare:
        stream.gate.set()
        stream.end()
    assert len(found) == 2
    return found


def ask_anew(server):
    """The status of a request on a connection of its own."""
    with client_of(server.url) as client:
        return client.post("/inference", json=ASK).status_code


def wait_for_another_worker(server, *known):
    numbers = "|".join(map(str, known))
    server.process.wait_for_line(rf"Booting worker with pid: (?!({numbers})\b)", 60)


def test_a_worker_that_is_killed_costs_only_its_own_streams(server):
    (victim, cut), (_, going_on) = one_stream_each(server).items()
    known = workers(server)

    os.kill(victim, signal.SIGKILL)
    cut.end()
    at_once = [ask_anew(server) for _ in range(10)]
    wait_for_another_worker(server, *known)
    afterwards = [ask_anew(server) for _ in range(10)]
    going_on.gate.set()
    going_on.end()

    assert isinstance(cut.failure, httpx.HTTPError)
    assert not any(event["done"] for event in cut.events)
    assert at_once + afterwards == [200] * 20
    assert going_on.failure is None
    assert going_on.text == "Good morning"


def test_a_worker_that_hangs_is_replaced_and_costs_only_its_own_streams(server):
    (victim, cut), (_, going_on) = one_stream_each(server).items()
    known = workers(server)

    os.kill(victim, signal.SIGSTOP)
    meanwhile = [ask_anew(server) for _ in range(10)]
    cut.gate.set()
    wait_for_another_worker(server, *known)
    cut.end()
    going_on.gate.set()
    going_on.end()

    assert meanwhile == [200] * 10
    assert isinstance(cut.failure, httpx.HTTPError)
    assert going_on.failure is None
    assert going_on.text == "Good morning"


class Caller:
    """Asks for health again and again in the block, each time on a new connection."""

    def __init__(self, server):
        self.statuses = []
        self.failures = []
        self._url = server.url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._call)

    @contextmanager
    def calling(self):
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _call(self):
        while not self._over.is_set():
            try:
                with client_of(self._url) as client:
                    answer = client.get(f"{self._url}/health")
                    self.statuses.append(answer.status_code)
            except httpx.HTTPError as ex:
                self.failures.append(ex)


def test_sighup_reads_new_tokens_and_fails_no_stream_or_request(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("the-old-token\n")

    with reference(serve, "gunicorn", OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        server.wait_for_status("the-old-token", 400)
        stream, caller = OpenStream(server), Caller(server)
        stream.begin()
        with caller.calling():
            keys.write_text("the-new-token\n")
            server.process.signal(signal.SIGHUP)
            server.wait_for_status("the-new-token", 400)
            server.wait_for_status("the-old-token", 401)
        stream.gate.set()
        stream.end()

    assert stream.failure is None
    assert stream.text == "Good morning"
    assert caller.failures == []
    assert set(caller.statuses) == {200}
