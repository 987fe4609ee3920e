"""The addresses that both servers listen on, and a port that is taken."""

import httpx
import pytest
from processes import ServerProcess, serve_command
from reference import AUTHORIZED, PATIENCE, TOKEN

SERVERS = ["waitress", "gunicorn"]


def starting(name, *options, **env):
    return ServerProcess(serve_command(name, *options), env)


@pytest.mark.parametrize("name", SERVERS)
def test_two_colons_listen_on_both_versions_of_ip(name):
    with starting(name, "--host", "::", OCTOMIL_API_KEYS=TOKEN) as process:
        port = int(process.wait_for_line(r"http://\[::\]:(\d+)")[1])
        statuses = [
            httpx.get(f"http://{host}:{port}/health", trust_env=False).status_code
            for host in ("127.0.0.1", "[::1]")
        ]

    assert statuses == [200, 200]


@pytest.mark.parametrize("name", SERVERS)
def test_a_unix_socket_is_served(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a Unix socket is short
    with starting(name, "--unix-socket", "a.sock", OCTOMIL_API_KEYS=TOKEN) as process:
        process.wait_for_line("Listening (on|at:?) unix:")
        transport = httpx.HTTPTransport(uds="a.sock")
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            answer = client.post(
                "http://localhost/api/v1/inference", json={}, headers=AUTHORIZED
            )

    assert answer.status_code == 400
