"""The keys of a file, under both servers: they follow its changes, and stay valid while it cannot be read."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from octomil_conformance.backend.scripts import refuses, says
from processes import serve
from reference import ASK, PATIENCE, Reference, client_of, reference

Spoil = Callable[[Path], object]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    keys = tmp_path / "keys"
    keys.write_text("ci:the-old-token\n")
    return keys


@pytest.fixture(params=["waitress", "gunicorn"])
def server(request: pytest.FixtureRequest, keys: Path) -> Iterator[Reference]:
    with reference(serve, request.param, OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        yield server


def status_of(server: Reference, token: str, request_id: str = "") -> int:
    headers = {"X-API-Key": token, "X-Request-Id": request_id}
    with client_of(server.url, headers) as client:
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


def test_keys_follow_their_file_without_a_signal(server: Reference, keys: Path) -> None:
    assert status_of(server, "the-old-token") == 200
    replaced(keys, "ci:the-new-token\n")

    wait_for_status(server, "the-new-token", 200)
    assert status_of(server, "the-old-token") == 401


def test_the_log_names_the_key_of_a_request_and_no_token(server: Reference) -> None:
    status_of(server, "the-old-token", "id-of-ci")

    assert server.log_of("id-of-ci")["key"] == "ci"
    assert "the-old-token" not in server.heard()


def make_empty(keys: Path) -> None:
    keys.write_text("")


def make_directory(keys: Path) -> None:
    keys.unlink()
    keys.mkdir()


@pytest.mark.parametrize("spoil", [Path.unlink, make_empty, make_directory])
def test_while_the_file_cannot_be_read_the_old_keys_hold_even_after_a_reload(
    server: Reference, keys: Path, spoil: Spoil
) -> None:
    assert status_of(server, "the-old-token") == 200
    spoil(keys)

    server.process.signal(signal.SIGHUP)
    server.process.wait_for_line("what it held before stays valid")
    if "gunicorn" in server.process.argv:
        server.process.wait_for_line("Worker exiting")  # a new one has started

    assert [status_of(server, "the-old-token") for _ in range(10)] == [200] * 10
    assert status_of(server, "another-token") == 401


@pytest.mark.parametrize("name", ["waitress", "gunicorn"])
def test_the_keys_of_both_upstreams_may_be_in_files(name: str, tmp_path: Path) -> None:
    files = {"OLLAMA_API_KEY_FILE": "key-1", "OPENAI_API_KEY_FILE": "key-2"}
    for variable, key in files.items():
        (tmp_path / variable).write_text(f"{key}\n")
    env = {variable: str(tmp_path / variable) for variable in files}

    with reference(serve, name, **env) as server:
        server.ollama.on("/api/chat", refuses(500, "no"))
        server.openai.on("/v1/chat/completions", says("Good"))
        server.ask()
        [first], [second] = server.ollama.requests, server.openai.requests

    assert first.headers["authorization"] == "Bearer key-1"
    assert second.headers["authorization"] == "Bearer key-2"
