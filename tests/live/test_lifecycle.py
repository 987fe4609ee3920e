"""Starting and ending, under both servers: wrong settings, signals in mid-stream."""

import signal

import httpx
import pytest
from processes import ServerProcess, gunicorn_command, serve, waitress_serve_command
from reference import PATIENCE, TOKEN, reference

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
        code = process.wait(PATIENCE)

    assert code not in (0, None)
    [line] = process.lines
    assert "OLLAMA_BASE_URL" in line and "localhost:11434" in line


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
def test_on_ctrl_c_it_ends_without_a_traceback(kind):
    with reference(serve, kind) as server:
        assert server.client.get("/health").status_code == 200
        server.process.signal(signal.SIGINT)
        server.process.wait()

    assert "Traceback" not in server.heard()
