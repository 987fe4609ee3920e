"""Starting and ending, under both servers: wrong settings, addresses, keys, signals in mid-stream, the log."""

import json
import re
import signal
from contextlib import suppress

import httpx
import pytest
from processes import (
    ServerProcess,
    gunicorn_command,
    serve,
    serve_command,
    waitress_serve_command,
)
from reference import AUTHORIZED, MAX_WAIT, TOKEN, http_request, reference

each_server = pytest.mark.parametrize("kind", ["waitress", "gunicorn"])
"""`gunicorn -c` needs no test of its own: it is what `serve --server gunicorn` becomes."""

COMMANDS = {
    "gunicorn -c": gunicorn_command(),
    "waitress-serve": waitress_serve_command(),
}


# Starting


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_setting_ends_the_start_with_one_line(command):
    env = {"OCTOMIL_API_KEYS": TOKEN, "OLLAMA_BASE_URL": "localhost:11434"}
    with ServerProcess(command, env) as process:
        code = process.wait(MAX_WAIT)

    assert code not in (0, None)
    [line] = process.lines
    assert "OLLAMA_BASE_URL" in line and "localhost:11434" in line


def starting(kind, *options):
    return ServerProcess(serve_command(kind, *options), {"OCTOMIL_API_KEYS": TOKEN})


@each_server
def test_two_colons_listen_on_both_versions_of_ip(kind):
    with starting(kind, "--host", "::") as process:
        port = int(process.wait_for_line(r"http://\[::\]:(\d+)")[1])
        statuses = [
            httpx.get(f"http://{host}:{port}/health", trust_env=False).status_code
            for host in ("127.0.0.1", "[::1]")
        ]

    assert statuses == [200, 200]


@each_server
def test_a_unix_socket_is_served(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a Unix socket is short
    with starting(kind, "--unix-socket", "a.sock") as process:
        process.wait_for_line("Listening (on|at:?) unix:")
        transport = httpx.HTTPTransport(uds="a.sock")
        with httpx.Client(transport=transport, timeout=MAX_WAIT) as client:
            answer = client.post(
                "http://localhost/api/v1/inference", json={}, headers=AUTHORIZED
            )

    assert answer.status_code == 400


# The file of keys


@each_server
def test_keys_hold_while_their_file_cannot_be_read_and_follow_it_without_a_signal(
    kind, tmp_path
):
    keys = tmp_path / "keys"
    keys.write_text("ci:the-old-token\n")
    with reference(serve, kind, OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        server.wait_for_status("the-old-token", 400)
        keys.unlink()
        server.process.signal(signal.SIGHUP)
        server.process.wait_for_line("its previous content stays valid")
        if kind == "gunicorn":
            server.process.wait_for_line("Worker exiting")  # a new one has started

        server.wait_for_status("the-old-token", 400)
        server.wait_for_status("another-token", 401)

        new = keys.with_name("new")
        new.write_text("ci:the-new-token\n")
        new.rename(keys)
        server.wait_for_status("the-new-token", 400)
        server.wait_for_status("the-old-token", 401)
        assert "-token" not in server.heard()


# Ending


@each_server
def test_on_sigterm_a_stream_finishes(kind):
    with reference(serve, kind) as server:
        with server.held_stream() as (events, gate):
            server.process.terminate()
            wait_until_stopping(server)
            gate.set()
            events.rest()
        code = server.process.wait()

    assert [event["token"] for event in events.seen] == ["Good", " morning", ""]
    assert events.seen[-1]["done"] is True
    assert code == 0
    assert "Traceback" not in server.heard()


def wait_until_stopping(server):
    """`serve` refuses new connections; gunicorn, which says so, lets them wait until its last stream has ended."""
    if "waitress" in server.process.argv:
        server.wait_until_refused()
    else:
        server.process.wait_for_line("Handling signal: term")


@each_server
def test_when_the_grace_is_over_the_server_ends_and_the_stream_is_cut(kind):
    with (
        reference(serve, kind, OCTOMIL_SHUTDOWN_GRACE="1") as server,
        server.held_stream() as (events, _),
    ):
        server.process.terminate()
        server.process.wait()
        with pytest.raises(httpx.HTTPError):
            events.rest()

    assert not any(event["done"] for event in events.seen)


@each_server
def test_on_ctrl_c_it_ends_without_a_traceback_and_gunicorn_cuts_its_streams(kind):
    with reference(serve, kind) as server, server.held_stream() as (events, gate):
        server.process.signal(signal.SIGINT)
        if kind == "waitress":
            gate.set()
        server.process.wait()  # for less than its grace
        with suppress(httpx.HTTPError):
            events.rest()

    assert any(event["done"] for event in events.seen) == (kind == "waitress")
    assert "Traceback" not in server.heard()


# The log of a whole life

OWN_LINES = {"waitress": "Task queue depth", "gunicorn": "Booting worker"}
"""A line of each server itself. waitress writes it while its only thread is busy."""


@each_server
def test_every_line_of_the_log_is_json_and_has_its_time_in_utc(kind):
    with reference(serve, kind, "--threads", "1", OCTOMIL_LOG_LEVEL="DEBUG") as server:
        with server.held_stream() as (events, gate), server.connect() as waiting:
            waiting.sendall(http_request("/health", method="GET"))
            server.process.wait_for_line(OWN_LINES[kind])
            gate.set()
            events.rest()
        server.process.signal(signal.SIGHUP)
        server.process.terminate()
        lines = server.process.all_lines()

    logged = [line for line in lines if not line.startswith("Listening on http")]
    assert len(logged) > 1
    for line in map(json.loads, logged):
        assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", line["time"])
        assert line["level"] and line["event"]
