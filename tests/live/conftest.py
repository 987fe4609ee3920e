"""Fixtures of the live tests: scripted upstreams, reference servers, real model servers, the real SDK."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from models import (
    LlamaCpp,
    Ollama,
    own_ollama,
    python_sdk,
    running_llama_cpp,
    running_ollama,
)
from processes import serve
from reference import PROMPT, TOKEN, Reference, reference
from upstreams import Upstream

SERVERS = ["waitress", "gunicorn"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A fresh scripted upstream."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session", params=SERVERS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    """Tests use `server`."""
    with reference(serve, request.param) as server:
        yield server


@pytest.fixture
def server(shared_server: Reference) -> Iterator[Reference]:
    """A running server with its usual settings, under waitress and under gunicorn, with two upstreams to script."""
    yield from _for_one_test(shared_server)


@pytest.fixture(scope="session", params=SERVERS)
def shared_impatient_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    """Tests use `impatient_server`."""
    with reference(serve, request.param, LLM_BACKEND_TIMEOUT="2") as server:
        yield server


@pytest.fixture
def impatient_server(shared_impatient_server: Reference) -> Iterator[Reference]:
    """The same with a short time limit, for upstreams that stall."""
    yield from _for_one_test(shared_impatient_server)


def _for_one_test(server: Reference) -> Iterator[Reference]:
    """No test may make a server log a traceback, a token or a prompt, or leave it unable to answer."""
    yield server
    assert server.client.get(f"{server.url}/health").status_code == 200
    heard = server.heard()
    server.start_over()
    assert "Traceback" not in heard
    assert PROMPT not in heard
    assert TOKEN not in heard


@pytest.fixture(scope="session")
def llama_cpp() -> Iterator[LlamaCpp]:
    """A real llama.cpp for all tests; leave it alive."""
    with running_llama_cpp() as server:
        yield server


@pytest.fixture(scope="session")
def ollama() -> Iterator[Ollama]:
    """A real Ollama for all tests; leave it alive."""
    with running_ollama() as server:
        yield server


@pytest.fixture
def mortal_ollama() -> Iterator[Ollama]:
    """A real Ollama for this test alone, which may kill it."""
    with own_ollama() as server:
        yield server


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    """A python in whose environment the real Python SDK is installed."""
    return python_sdk()
