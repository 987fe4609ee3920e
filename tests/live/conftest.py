"""Fixtures of the live tests: scripted upstreams, reference servers, real model servers, the real SDK."""

from contextlib import ExitStack

import pytest
from models import python_sdk, running_llama_cpp, running_ollama
from processes import serve
from reference import PROMPT, TOKEN, reference

SERVERS = ["waitress", "gunicorn"]


@pytest.fixture(scope="session")
def shared():
    """Starts a server, or returns the one that was started with the same settings. It runs until the end of the session."""
    started = {}

    def get(kind="waitress", **env):
        settings = (kind, *sorted(env.items()))
        if settings not in started:
            started[settings] = stack.enter_context(reference(serve, kind, **env))
        return started[settings]

    with ExitStack() as stack:
        yield get


@pytest.fixture(scope="session", params=SERVERS)
def shared_server(request, shared):
    """The server behind `server`. A module overrides it to choose others."""
    return shared(request.param)


@pytest.fixture
def server(shared_server):
    """A running server with its usual settings, under waitress and under gunicorn, with two upstreams to script.

    Fails if the server logs a traceback, a token or a prompt, or does not answer after the test.
    """
    server = shared_server
    yield server
    assert server.client.get(f"{server.url}/health").status_code == 200
    heard = server.heard()
    server.start_over()
    assert "Traceback" not in heard
    assert PROMPT not in heard
    assert TOKEN not in heard


@pytest.fixture(scope="session")
def llama_cpp():
    """A real llama.cpp for all tests; leave it alive."""
    with running_llama_cpp() as server:
        yield server


@pytest.fixture(scope="session")
def ollama():
    """A real Ollama for all tests; leave it alive."""
    with running_ollama() as server:
        yield server


@pytest.fixture(scope="session")
def sdk_python():
    """A python in whose environment the real Python SDK is installed."""
    return python_sdk()
