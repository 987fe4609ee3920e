"""The keys of a file, under both servers: they follow its changes, and stay valid while it cannot be read."""

import signal

import pytest
from processes import serve
from reference import reference


@pytest.fixture
def keys(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("ci:the-old-token\n")
    return keys


@pytest.fixture(params=["waitress", "gunicorn"])
def server(request, keys):
    with reference(serve, request.param, OCTOMIL_API_KEYS_FILE=str(keys)) as server:
        yield server


def replaced(keys, text):
    new = keys.with_name("new")
    new.write_text(text)
    new.rename(keys)


def test_keys_hold_while_their_file_cannot_be_read_and_follow_it_without_a_signal(
    server, keys
):
    server.wait_for_status("the-old-token", 400)
    keys.unlink()
    server.process.signal(signal.SIGHUP)
    server.process.wait_for_line("what it held before stays valid")
    if "gunicorn" in server.process.argv:
        server.process.wait_for_line("Worker exiting")  # a new one has started

    server.wait_for_status("the-old-token", 400)
    server.wait_for_status("another-token", 401)

    replaced(keys, "ci:the-new-token\n")
    server.wait_for_status("the-new-token", 400)
    server.wait_for_status("the-old-token", 401)
    assert "-token" not in server.heard()
