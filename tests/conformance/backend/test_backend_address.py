"""Where the scripted backend listens, how it closes, and the command that runs it on its own."""

import http.client
import signal
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from octomil_conformance import cli
from octomil_conformance.backend import (
    RemoteBackend,
    ScriptedBackend,
    environment,
    tagged,
)
from octomil_conformance.backend.scripted import is_loopback
from scripted_calls import ANY, SOON, base, stream, whole


@pytest.fixture
def leaves_no_thread():
    """Fails if threads that the test started still run after it."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_closing_cuts_off_what_is_held_and_leaves_no_thread(nonce, leaves_no_thread):
    with (
        ScriptedBackend(ANY, ANY) as backend,
        stream(backend, "ollama", "conf-gated", tagged(nonce, "one two")) as response,
    ):
        response.readline()
        backend.close()
        with pytest.raises(http.client.IncompleteRead):
            response.read()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_an_address_other_than_loopback_is_refused(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="not a loopback"):
        ScriptedBackend((host, 0), ANY)


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(
    scripted, leaves_no_thread
):
    taken = ("127.0.0.1", base(scripted, "openai").port)

    with pytest.raises(OSError, match=f"127.0.0.1:{taken[1]}: Address already in use"):
        ScriptedBackend(ANY, taken)


def test_a_remote_backend_needs_a_running_one():
    with ScriptedBackend(ANY, ANY) as gone:
        address = urlsplit(gone.ollama_url).netloc

    with pytest.raises(ConnectionError, match="no scripted backend"):
        RemoteBackend(address)


def test_the_command_serves_until_sigterm():
    command = "import sys; from octomil_conformance.cli import main; sys.exit(main(['backend', *sys.argv[1:]]))"
    options = ["--backend", "127.0.0.1:0", "--openai-backend", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(7)]
        exports = dict(
            line.strip().removeprefix("export ").split("=") for line in lines[2:]
        )
        remote = RemoteBackend(urlsplit(exports["OLLAMA_BASE_URL"]).netloc)
        assert environment(remote) == exports
        assert whole(remote, "openai", "conf-echo", "hi") == (200, "hi")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0


def test_the_command_refuses_addresses_other_than_loopback(capsys):
    assert cli.main(["backend", "--backend", "0.0.0.0:0"]) == 2

    assert "--allow-remote" in capsys.readouterr().err
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("place", ["127.0.0.1:99999", "127.0.0.1:", "here", "[::1]:-1"])
def test_the_command_refuses_what_is_no_address(place):
    with pytest.raises(SystemExit) as ended:
        cli.main(["backend", "--backend", place])

    assert ended.value.code == 2


def test_the_command_lists_its_models(capsys):
    assert cli.main(["backend", "--scenarios"]) == 0

    assert "conf-echo" in capsys.readouterr().out
