"""A scripted upstream sends exactly what its scripts say, records what it received, and reports scripts that fail."""

import http.client
import json
import socket
import threading
from contextlib import closing

import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import (
    NDJSON,
    raw,
    stall,
    stream,
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


def test_whole_and_chunked_responses_keep_the_connection(upstream, client):
    upstream.on("/", whole(b"whole"), stream(NDJSON, b"one\n", b"two\n"), whole(b""))

    assert [get(client).read() for _ in range(3)] == [b"whole", b"one\ntwo\n", b""]

    places = [(r.connection_id, r.nth_on_connection) for r in upstream.requests]
    assert places == [(1, 1), (1, 2), (1, 3)]


def test_segments_are_sent_as_they_are_and_wait_for_the_gate(upstream):
    gate = threading.Event()
    upstream.on("/", raw(b"HTTP/1.1 200", b" OK\r\nOdd:\r\n\r\n\xff", gate=gate))

    with socket.create_connection(("127.0.0.1", upstream.port), SOON) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(99) == b"HTTP/1.1 200"
        gate.set()
        assert sock.makefile("rb").read() == b" OK\r\nOdd:\r\n\r\n\xff"


def test_a_stream_can_be_cut_in_the_middle_of_a_chunk(upstream, client):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.on("/", raw(head + b"5\r\nabc"))

    with pytest.raises(http.client.IncompleteRead):
        get(client).read()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Response.close, http.client.RemoteDisconnected),
        (Response.reset, ConnectionResetError),
        (Response.half_close, http.client.RemoteDisconnected),
    ],
)
def test_a_script_can_end_the_connection_before_its_response(
    upstream, client, script, error
):
    upstream.on("/", script)

    with pytest.raises(error):
        get(client)


def test_a_client_of_http_1_0_gets_no_chunks(upstream):
    upstream.on("/", stream(NDJSON, b"one\n", b"two\n"))

    with socket.create_connection(("127.0.0.1", upstream.port), SOON) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        _, _, body = sock.makefile("rb").read().partition(b"\r\n\r\n")

    assert body == b"one\ntwo\n"


def test_a_client_that_asks_to_continue_is_told_so(upstream):
    upstream.on("/", whole(b"read"))

    with socket.create_connection(("127.0.0.1", upstream.port), SOON) as sock:
        head = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        sock.sendall(head)
        assert sock.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert sock.recv(99).endswith(b"read")


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
