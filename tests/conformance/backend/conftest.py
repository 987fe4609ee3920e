from urllib.parse import urlsplit

import pytest
from octomil_conformance.backend import RemoteBackend, ScriptedBackend, new_nonce
from scripted_calls import ANY, TIMEOUT


@pytest.fixture(scope="module")
def scripted():
    with ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as backend:
        yield backend


@pytest.fixture(params=["in process", "remote"])
def backend(request, scripted):
    """The scripted backend in this process, and in another one: both have the same interface."""
    if request.param == "in process":
        yield scripted
    else:
        yield RemoteBackend(urlsplit(scripted.ollama_url).netloc)


@pytest.fixture
def nonce():
    return new_nonce()
