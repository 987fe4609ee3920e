"""A scripted upstream records what it received, reports scripts that fail, and ends with its block."""

import http.client
import json
import threading
from contextlib import closing

import pytest
from octomil_conformance.backend.scripts import (
    stall,
    whole,
)
from octomil_conformance.backend.upstream import Upstream
from scripted_calls import SOON


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def client(upstream):
    with closing(connect(upstream)) as client:
        yield client


def connect(upstream):
    return http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=SOON)


def get(client, path="/"):
    client.request("GET", path)
    return client.getresponse()


def test_a_request_is_recorded_as_it_was_sent(upstream, client):
    upstream.on("/echo", lambda response: response.json(200, response.request.json))

    chunks = iter([b'{"a":', b" [1]}"])
    client.request("POST", "/echo?b=c", chunks, {"X-Y": "z"}, encode_chunked=True)

    assert json.load(client.getresponse()) == {"a": [1]}
    [request] = upstream.wait_for_requests(1)
    assert (request.method, request.target) == ("POST", "/echo?b=c")
    assert (request.headers["x-y"], request.body) == ("z", b'{"a": [1]}')


@pytest.mark.parametrize(
    ("script", "error"),
    [(lambda response: 1 // 0, ZeroDivisionError), (None, LookupError)],
)
def test_a_script_that_fails_or_is_missing_fails_the_test(script, error):
    with pytest.RaisesGroup(error), Upstream() as upstream:
        if script:
            upstream.on("/", script)
        with closing(connect(upstream)) as client, pytest.raises(ConnectionResetError):
            get(client)


def test_the_end_of_the_block_ends_scripts_that_wait():
    with Upstream() as upstream:
        upstream.on("/stall", stall)
        upstream.on("/gate", lambda response: response.wait(threading.Event()))
        with closing(connect(upstream)) as one, closing(connect(upstream)) as two:
            one.request("GET", "/stall")
            two.request("GET", "/gate")
            upstream.wait_for_requests(2)
            upstream.close()

    assert upstream.errors == []
    assert upstream.most_at_once == 2


def test_new_connections_are_refused_until_it_listens_again(upstream, client):
    upstream.on("/", whole(b"here"))
    get(client).read()

    upstream.stop_listening()
    assert client.sock.recv(1) == b"", "the idle connection is closed"
    with closing(connect(upstream)) as other, pytest.raises(ConnectionRefusedError):
        get(other)

    upstream.listen_again()
    with closing(connect(upstream)) as other:
        assert get(other).read() == b"here"


def test_an_upstream_that_starts_over_is_as_new_on_the_same_port(upstream, client):
    upstream.on("/", lambda response: 1 // 0)
    with pytest.raises(ConnectionResetError):
        get(client)
    upstream.stop_listening()

    with pytest.RaisesGroup(ZeroDivisionError):
        upstream.start_over()
    upstream.on("/", whole(b"after"))

    with closing(connect(upstream)) as other:
        assert get(other).read() == b"after"
    assert [request.connection_id for request in upstream.requests] == [1]
