"""The reference server, as it is deployed, passes everything at level 2 under both of its servers."""

import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress

import pytest
from octomil_conformance import spec
from octomil_conformance.backend import ScriptedBackend, environment
from octomil_conformance.config import Config, base_url
from octomil_conformance.report.console import lines
from octomil_conformance.runner import judge

ANY = ("127.0.0.1", 0)
TIMEOUT = 2.0
TOKEN = "token-of-the-reference"
STARTS_WITHIN = 20.0


@pytest.mark.parametrize(("server", "cooldown"), [("gunicorn", 0), ("waitress", 1)])
def test_the_reference_passes_everything(server, cooldown):
    with (
        ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as backend,
        serving(server, backend, cooldown) as url,
    ):
        claims = dict.fromkeys(spec.PROFILES, 2)
        config = Config(base_url(url), claims, TOKEN, backend_timeout=TIMEOUT)
        run = judge(config, backend=backend)

    assert run.conclusion() == "conformant", "\n".join(lines(run))
    assert run.counts().keys() == {"pass"}, "\n".join(lines(run))
    assert judged(run) == {
        name for name, each in spec.requirements().items() if not each.untestable
    }


def judged(run):
    return {verdict.requirement.id for verdict in run.verdicts}


@contextmanager
def serving(server, backend, cooldown):
    with closing(socket.create_server(ANY)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "octomil_ref",
        "serve",
        "--server",
        server,
        "--port",
        str(port),
    ]
    variables = {
        **os.environ,
        **environment(backend),
        "OCTOMIL_API_KEYS": TOKEN,
        "OCTOMIL_LOG_LEVEL": "ERROR",
        "OCTOMIL_BACKEND_COOLDOWN": str(cooldown),
    }
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port):
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the reference does not start")
