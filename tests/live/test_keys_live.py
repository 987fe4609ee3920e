"""The keys of a file, under both servers: they follow its changes, and stay valid while it cannot be read."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import serve
from reference import ASK, PATIENCE, Reference, client_of, reference


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.write_text("ci:the-old-token\n")
    return keys


@pytest.fixture(params=["waitress", "gunicorn"])
def server(request: pytest.FixtureRequest, keys: Path) -> Iterator[Reference]:
    with reference(serve, request.param, OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        yield server


def status_of(server: Reference, token: str) -> int:
    with client_of(server.url, {"X-API-Key": token}) as client:
        return client.post("/inference", json=ASK).status_code


def wait_for_status(server: Reference, token: str, status: int) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        if status_of(server, token) == status:
            return
        threading.Event().wait(0.05)
    raise TimeoutError(f"{token} never gets {status}")


def replaced(keys: Path, text: str) -> None:
    new = keys.with_name("new")
    new.write_text(text)
    new.rename(keys)


def test_keys_hold_while_their_file_cannot_be_read_and_follow_it_without_a_signal(
    server: Reference, keys: Path
) -> None:
    assert status_of(server, "the-old-token") == 200
    keys.unlink()
    server.process.signal(signal.SIGHUP)
    server.process.wait_for_line("what it held before stays valid")
    if "gunicorn" in server.process.argv:
        server.process.wait_for_line("Worker exiting")  # a new one has started

    assert [status_of(server, "the-old-token") for _ in range(10)] == [200] * 10
    assert status_of(server, "another-token") == 401

    replaced(keys, "ci:the-new-token\n")
    wait_for_status(server, "the-new-token", 200)
    assert status_of(server, "the-old-token") == 401
    assert "-token" not in server.heard()
