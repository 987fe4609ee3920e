"""Several workers under gunicorn: clients notice as little as possible if one is killed, one hangs, or all are reloaded."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from linux import family, holder_of
from processes import serve
from reference import ASK, MAX_WAIT, client_of, http_request, reference

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def shared_server():
    # A worker that hangs is replaced earlier than a silent upstream is given up.
    sooner = {"GUNICORN_CMD_ARGS": "--timeout 8"}
    with reference(serve, "gunicorn", "--workers", "2", **sooner) as server:
        yield server


@pytest.fixture
def server(shared_server):
    wait_until_both_answer(shared_server)
    yield shared_server
    shared_server.start_over()


def workers(server):
    return family(server.process.pid)[1:]


def wait_until_both_answer(server):
    """One may have been long ready when the other one has just been forked."""
    answered = set()
    for _ in range(int(MAX_WAIT / 0.01)):
        with server.connect() as client:
            client.sendall(http_request("/health", method="GET"))
            assert client.recv(12) == b"HTTP/1.1 200"
            port = client.getsockname()[1]
            answered.add(holder_of(server.port, port, workers(server)))
        if len(answered) == 2:
            return
        threading.Event().wait(0.01)
    raise TimeoutError("one worker answers all")


@contextmanager
def one_stream_each(server):
    """By worker, a running stream and the gate of its second token."""
    found = {}
    with ExitStack() as stack:
        for _ in range(50):  # a server has places for this many streams
            events, gate = stack.enter_context(server.held_stream())
            worker = holder_of(server.port, events.port(), workers(server))
            found.setdefault(worker, (events, gate))
            if len(found) == 2:
                break
        yield found


def ask_anew(server):
    """The status of a request on a connection of its own."""
    with client_of(server.url) as client:
        return client.post("/inference", json=ASK).status_code


def wait_for_another_worker(server, *known):
    numbers = "|".join(map(str, known))
    server.process.wait_for_line(rf"Booting worker with pid: (?!({numbers})\b)", 60)


def test_a_worker_that_is_killed_costs_only_its_own_streams(server):
    with one_stream_each(server) as streams:
        (victim, (cut, _)), (_, (going_on, gate)) = streams.items()
        known = workers(server)

        os.kill(victim, signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            cut.rest()
        at_once = [ask_anew(server) for _ in range(10)]
        wait_for_another_worker(server, *known)
        afterwards = [ask_anew(server) for _ in range(10)]
        gate.set()
        going_on.rest()

    assert not any(event["done"] for event in cut.seen)
    assert at_once + afterwards == [200] * 20
    assert going_on.text() == "Good morning"


def test_a_worker_that_hangs_is_replaced_and_costs_only_its_own_streams(server):
    with one_stream_each(server) as streams:
        (victim, (cut, gate_of_cut)), (_, (going_on, gate)) = streams.items()
        known = workers(server)

        os.kill(victim, signal.SIGSTOP)
        meanwhile = [ask_anew(server) for _ in range(10)]
        gate_of_cut.set()
        wait_for_another_worker(server, *known)
        with pytest.raises(httpx.HTTPError):
            cut.rest()
        gate.set()
        going_on.rest()

    assert meanwhile == [200] * 10
    assert going_on.text() == "Good morning"


@contextmanager
def health_asked_meanwhile(server):
    """The statuses of health, asked again and again in the block, each time on a new connection."""
    over, statuses = threading.Event(), []

    def ask():
        while not over.is_set():
            with client_of(server.url) as client:
                statuses.append(client.get(f"{server.url}/health").status_code)

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(ask)
        try:
            yield statuses
        finally:
            over.set()
    asking.result()


def test_sighup_reads_new_tokens_and_fails_no_stream_or_request(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("the-old-token\n")

    with reference(serve, "gunicorn", OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        server.wait_for_status("the-old-token", 400)
        with server.held_stream() as (events, gate):
            with health_asked_meanwhile(server) as statuses:
                keys.write_text("the-new-token\n")
                server.process.signal(signal.SIGHUP)
                server.wait_for_status("the-new-token", 400)
                server.wait_for_status("the-old-token", 401)
            gate.set()
            events.rest()

    assert events.text() == "Good morning"
    assert set(statuses) == {200}
