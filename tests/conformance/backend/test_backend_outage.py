"""Outages of the scripted backend: it refuses connections, or accepts them and does not answer."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from octomil_conformance.backend import tagged
from scripted_calls import DIALECTS, SOON, base, chat, stream, whole


@pytest.mark.parametrize("times", [1, 2])
def test_during_an_outage_no_client_can_connect_and_after_it_all_can(backend, times):
    for _ in range(times):
        with backend.outage("refuse"):
            for dialect in DIALECTS:
                with pytest.raises(ConnectionRefusedError):
                    whole(backend, dialect, "conf-echo", "x")
                with pytest.raises(OSError, match="in use"):  # nor take the port
                    socket.create_server(("127.0.0.1", base(backend, dialect).port))

        for dialect in DIALECTS:
            assert whole(backend, dialect, "conf-echo", "x") == (200, "x")


def test_an_outage_of_one_backend_leaves_the_other(backend):
    with backend.outage("refuse", backends=["openai"]):
        with pytest.raises(ConnectionRefusedError):
            whole(backend, "openai", "conf-echo", "x")

        assert whole(backend, "ollama", "conf-echo", "x") == (200, "x")


def test_an_outage_cuts_off_answers_and_idle_connections(scripted, nonce):
    with stream(scripted, "ollama", "conf-gated", tagged(nonce, "one two")) as response:
        response.readline()
        with scripted.outage("refuse"), pytest.raises(http.client.IncompleteRead):
            response.read()

    assert [call.outcome for call in scripted.calls(nonce)] == ["stopped"]


def test_an_outage_can_be_503_for_everything(backend):
    with (
        backend.outage("fail"),
        chat(backend, "ollama", "conf-echo", "x") as response,
    ):
        response.read()

    assert response.status == 503


def test_an_outage_can_be_silence(backend, nonce):
    with ThreadPoolExecutor() as pool, backend.outage("hang"):
        answer = pool.submit(whole, backend, "ollama", "conf-echo", tagged(nonce, "x"))
        assert backend.wait_for_active(nonce, 1, SOON) == 1
        assert not answer.done()

    assert isinstance(answer.exception(), http.client.RemoteDisconnected)


def test_an_outage_ends_when_the_client_that_began_it_leaves(scripted):
    address = base(scripted, "ollama").netloc
    with closing(http.client.HTTPConnection(address, timeout=SOON)) as connection:
        body = json.dumps({"kind": "hang", "backends": ["ollama", "openai"]})
        connection.request("POST", "/conf/outage", body)
        connection.getresponse().read()
        with pytest.raises(ValueError, match="has not ended"):
            scripted.outage("hang").__enter__()

    assert scripted._outages._over.wait(SOON)
    assert whole(scripted, "ollama", "conf-echo", "x") == (200, "x")
