"""Deadlines of requests to an upstream, and the error for each failure."""

import socket
import ssl
import threading

import pytest
import requests
import responses
from builders import Clock, arriving, chunked, scripted, upstream
from octomil_conformance.backend.scripts import raw, stall
from octomil_conformance.backend.upstream import Script
from requests.exceptions import (
    ConnectTimeout,
    InvalidHeader,
    InvalidProxyURL,
    InvalidSchema,
    ProxyError,
    ReadTimeout,
    SSLError,
)
from urllib3.exceptions import IncompleteRead, ProtocolError

from octomil_ref.errors import Broken, NotReached, TimedOut

URL = "http://upstream.test/v1"


def dripping(head: bytes, clock: Clock) -> Script:
    """Sends `head`, then lets the time pass that a client may wait in all, and sends one byte more."""

    def script(response):
        response.send(head)
        clock.advance(20)
        response.send(b".")
        stall(response)

    return script


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n", id="in an interim answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Drip: a", id="in its head"),
        pytest.param(chunked(b".") + b"9\r\n", id="in its chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n.", id="in a body without length"),
    ],
)
def test_an_answer_that_drips_is_bounded_as_a_whole(head, clock):
    with scripted(dripping(head, clock)) as server:
        to = upstream(server.url, timeout=20)

        with pytest.raises(TimedOut):
            to.get("/", 20).body()


def test_an_upstream_that_stays_silent_times_out_and_its_connection_is_closed():
    over = threading.Event()
    with scripted(lambda response: (stall(response), over.set())) as server:
        to = upstream(server.url, timeout=0.3)

        with pytest.raises(TimedOut):
            to.post("/", {})

        assert over.wait(20), "the connection is closed, so that the model can stop"


def test_a_refused_connection_is_not_reached():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NotReached):
        upstream(f"http://127.0.0.1:{port}").get("/", 20)


def test_a_name_that_cannot_be_looked_up_is_not_reached(monkeypatch):
    def no_such_name(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    responses.add_passthru(URL)

    with pytest.raises(NotReached):
        upstream(URL).get("/", 20)


def test_a_server_without_tls_behind_https_is_not_reached():
    no_http = pytest.RaisesGroup(ValueError)
    with no_http, scripted() as server, pytest.raises(NotReached) as caught:
        upstream(f"https://127.0.0.1:{server.port}").get("/", 20)

    assert caught.value.detail == "TLS failed: WRONG_VERSION_NUMBER"


@pytest.mark.parametrize(
    "raised, meaning",
    [
        pytest.param(TimeoutError("timed out"), TimedOut, id="silence"),
        pytest.param(ConnectionResetError(104, "reset"), Broken, id="a reset"),
        pytest.param(OSError(5, "I/O error"), Broken, id="any other error"),
        pytest.param(IncompleteRead(1, 2), Broken, id="an incomplete read"),
    ],
)
def test_a_failure_within_the_body_has_its_own_meaning(raised, meaning):
    responses.get(f"{URL}/", body=arriving(b"a", raised))
    answer = upstream(URL).get("/", 20)

    with pytest.raises(meaning):
        answer.body()


CUT_OFF = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", id="of a length"),
    pytest.param(chunked(b"abc"), id="in chunks"),
    pytest.param(chunked(b"abc") + b"zz\r\n", id="with a chunk that is none"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        id="that is not the gzip it says",
    ),
]


@pytest.mark.parametrize("answer", CUT_OFF)
def test_a_body_is_broken(answer):
    with scripted(raw(answer)) as server:
        received = upstream(server.url).get("/", 20)

        with pytest.raises(Broken):
            received.body()


EXPIRED = ssl.SSLCertVerificationError()
EXPIRED.verify_message = "certificate has expired"

REASONS = [
    (EXPIRED, Broken, "certificate not accepted: certificate has expired"),
    (SSLError(ssl.SSLError()), NotReached, "TLS failed"),
    (ProxyError(socket.gaierror()), NotReached, "the proxy: name not found"),
    (socket.gaierror(), Broken, "name not found"),
    (ConnectionRefusedError(), Broken, "connection refused"),
    (ConnectionResetError(), Broken, "connection reset"),
    (BrokenPipeError(), Broken, "connection reset"),
    (ConnectTimeout(), NotReached, "no connection in time"),
    (ReadTimeout(), TimedOut, "ConnectionError"),
    (TimeoutError(), TimedOut, "no bytes in time"),
    (InvalidSchema(), NotReached, "proxy of a kind that is not supported"),
    (InvalidProxyURL(), NotReached, "the proxy's URL is malformed"),
    (InvalidHeader(), Broken, "ConnectionError"),
    (OSError(5, "I/O error"), Broken, "ConnectionError"),
    (ProtocolError("a chunk is malformed"), Broken, "a chunk is malformed"),
]


@pytest.mark.parametrize(
    "cause, meaning, reason", REASONS, ids=lambda each: type(each).__name__
)
def test_a_failure_before_the_answer_has_a_meaning_and_a_reason(cause, meaning, reason):
    responses.get(f"{URL}/", body=requests.ConnectionError(cause))

    with pytest.raises(meaning) as failure:
        upstream(URL).get("/", 20)

    assert failure.value.detail == reason
    assert "upstream.test" not in failure.value.message
