"""More clients than there are threads or descriptors: idle, silent, or all at once. Whoever asks is answered."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from dialects import ollama_chat
from linux import cpu_seconds, family
from open_streams import OpenStream
from processes import ServerProcess, listening, serve, serve_command
from reference import Reference, client_of, http_request, reference

pytestmark = pytest.mark.machine

SERVERS = ["waitress", "gunicorn"]
FEW = 100
"""Descriptors."""


@contextmanager
def crowd(server: Reference, size: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(server.connect()) for _ in range(size)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("way", SERVERS)
def test_a_thousand_idle_connections_keep_nobody_waiting(way: str) -> None:
    with reference(serve, way, OCTOMIL_CLIENT_TIMEOUT="3600") as server:
        server.ollama.on("/api/chat", ollama_chat())

        with crowd(server, 500), crowd(server, 500) as served:
            for connection in served:
                connection.sendall(http_request("/health", method="GET"))
            statuses = [connection.recv(12) for connection in served]
            answer = server.ask()
            with server.stream() as events:
                events.rest()

    assert statuses == [b"HTTP/1.1 200"] * 500
    assert answer.status_code == 200
    assert events.text() == "Good morning"


@contextmanager
def with_few_descriptors(way: str, **env: str) -> Iterator[ServerProcess]:
    """A server that knows from its start on how few it gets."""
    limited = ["sh", "-c", f'ulimit -n {FEW} && exec "$@"', "sh", *serve_command(way)]
    with listening(limited, env) as process:
        yield process


@contextmanager
def deprived(way: str, **env: str) -> Iterator[ServerProcess]:
    """A server from which they are taken after its start, so that accept() fails."""
    with serve(way, **env) as process:
        with client_of(process.url) as client:  # its worker is there when it answers
            assert client.get("/health").status_code == 200
        for pid in family(process.pid):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        yield process


@pytest.mark.parametrize("way", SERVERS)
@pytest.mark.parametrize("start", [with_few_descriptors, deprived])
def test_when_descriptors_run_out_streams_go_on_and_afterwards_all_is_well(
    start, way: str
) -> None:
    with reference(start, way, OCTOMIL_CLIENT_TIMEOUT="3") as server:
        stream = OpenStream(server)
        stream.begin()
        lines, used = len(server.process.lines), cpu_seconds(server.process.pid)

        with crowd(server, 2 * FEW) as clients:
            assert clients[0].recv(1) == b"", "its time is over"
            stream.gate.set()
            stream.end()
            used = cpu_seconds(server.process.pid) - used
        answer = server.client.get(f"{server.url}/health")

    assert stream.failure is None
    assert stream.text == "Good morning"
    assert answer.status_code == 200
    assert used < 1.5, "of three seconds"
    assert len(server.process.lines) - lines < 20
    assert "Traceback" not in server.heard()
