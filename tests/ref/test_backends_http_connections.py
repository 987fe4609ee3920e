"""Pooled connections that die: a request is retried once, and only if the connection had served a response before."""

import gc
import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_NODELAY

import pytest
import responses
from builders import connections, keeping, plain, scripted, upstream
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import stall
from urllib3.connection import HTTPConnection, HTTPSConnection

from octomil_ref.backends import wire
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.wire import TimedSocket
from octomil_ref.errors import Broken, TimedOut, UpstreamError

OK = keeping(plain(b"{}"))
AGAIN = keeping(plain(b'"again"'))
DIES = Response.close
IDLE = keeping(b"HTTP/1.1 408 Idle\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def ask(to: Upstream) -> bytes:
    """The whole body of one answer."""
    answer = to.post("/ask", {"a": 1})
    body = answer.body()
    answer.close()
    return body


def outcome(to: Upstream) -> bytes | type[UpstreamError]:
    try:
        return ask(to)
    except UpstreamError as ex:
        return type(ex)


GOOD, LATER = b"{}", b'"again"'
REQUEST = ("/ask", b'{"a":1}')
GZIPPED = plain(gzip.compress(GOOD)).replace(
    b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1
)

# What an upstream does in turn, the outcomes of two requests, and the connection of each request that it got.
REQUESTS = {
    "share a connection": ([OK, AGAIN], [GOOD, LATER], [1, 1]),
    "are retried if a pooled one dies": ([OK, DIES, AGAIN], [GOOD, LATER], [1, 1, 2]),
    "are retried if a pooled one was idle": (
        [OK, IDLE, AGAIN],
        [GOOD, LATER],
        [1, 1, 2],
    ),
    "are not retried if a fresh one was idle": ([IDLE, OK], [b"", GOOD], [1, 2]),
    "are retried once": ([OK, DIES, DIES, OK], [GOOD, Broken], [1, 1, 2]),
    "are not retried if a fresh one dies": ([DIES, AGAIN], [Broken, LATER], [1, 2]),
    "are not retried in silence": ([OK, stall, OK], [GOOD, TimedOut], [1, 1]),
    "leave one on which garbage came": (
        [keeping(b"what?\r\n\r\n"), OK],
        [Broken, GOOD],
        [1, 2],
    ),
    "leave one of HTTP/1.0": (
        [keeping(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"), OK],
        [GOOD, GOOD],
        [1, 2],
    ),
    "leave one with more behind the body": (
        [keeping(plain(GOOD) + b"HTTP/1.1"), OK],
        [GOOD, GOOD],
        [1, 2],
    ),
    "leave one with a body where there is none": (
        [keeping(b"HTTP/1.1 204 No\r\n\r\n{}"), OK],
        [b"", GOOD],
        [1, 2],
    ),
    "are read although they are gzip": ([keeping(GZIPPED), OK], [GOOD, GOOD], [1, 1]),
}


@pytest.mark.parametrize("scripts, outcomes, used", REQUESTS.values(), ids=REQUESTS)
def test_two_requests(scripts, outcomes, used):
    with scripted(*scripts) as server:
        to = upstream(server.url, timeout=0.3 if stall in scripts else 20)

        assert [outcome(to), outcome(to)] == outcomes

    assert connections(server) == used
    assert {(each.target, each.body) for each in server.requests} == {REQUEST}


def test_a_connection_that_was_opened_anew_counts_as_fresh():
    closed = threading.Event()

    def answer_and_close(response):
        response.send(plain(b"{}"))
        response.close()
        closed.set()

    with scripted(answer_and_close, DIES, OK) as server:
        to = upstream(server.url)
        ask(to)
        closed.wait()

        with pytest.raises(Broken):
            ask(to)

    assert connections(server) == [1, 2]


def test_a_retry_gives_up_the_other_connections_that_are_as_old():
    both_asked, hung_up = threading.Barrier(2), threading.Event()

    def first(response):
        both_asked.wait(20)
        response.send(plain(b"{}"))
        if response.wait_for_hangup():  # the other one gets the next request, and dies
            hung_up.set()

    with scripted(first, first, AGAIN) as server:
        to = upstream(server.url)
        with ThreadPoolExecutor(2) as callers:
            list(callers.map(ask, [to, to]))

        body = ask(to)
        gc.collect()

        assert hung_up.wait(20)
    assert body == b'"again"'
    assert sorted(connections(server)) == [1, 2, 3]


@pytest.mark.parametrize(
    "failures, outcomes",
    [
        pytest.param([False, True, False], [GOOD, LATER], id="if it was pooled"),
        pytest.param([True, False], [Broken, GOOD], id="never if it was fresh"),
    ],
)
def test_a_request_whose_sending_fails_is_sent_again(monkeypatch, failures, outcomes):
    real_send, fails = TimedSocket.send, iter(failures)

    def send(self, data, deadline):
        if next(fails):
            raise ConnectionResetError
        real_send(self, data, deadline)

    monkeypatch.setattr(TimedSocket, "send", send)
    with scripted(OK, AGAIN) as server:
        to = upstream(server.url)

        assert [outcome(to), outcome(to)] == outcomes


def test_an_answer_that_breaks_off_in_its_head_is_not_asked_for_again(monkeypatch):
    real_receive, arrived = TimedSocket.receive, threading.Event()

    def receive_and_tell(self, size, deadline):
        data = real_receive(self, size, deadline)
        arrived.set()
        return data

    def half_a_head(response):
        arrived.clear()
        response.send(b"HTTP/1.1 200 OK\r\nX-")
        arrived.wait(20)
        response.reset()

    monkeypatch.setattr(TimedSocket, "receive", receive_and_tell)
    with scripted(OK, half_a_head, OK) as server:
        to = upstream(server.url)
        ask(to)

        with pytest.raises(Broken):
            ask(to)

    assert connections(server) == [1, 1]


def test_a_retry_has_only_the_time_that_is_left(monkeypatch, clock):
    with scripted(OK, DIES, OK) as server:
        to = upstream(server.url)
        ask(to)
        monkeypatch.setattr(to._adapter.poolmanager, "clear", lambda: clock.advance(20))

        with pytest.raises(TimedOut):
            ask(to)

    assert connections(server) == [1, 1]


def test_a_request_leaves_in_one_write_on_a_connection_that_is_kept_alive(monkeypatch):
    opened, written = [], []

    class Seen(TimedSocket):
        def __init__(self, sock):
            opened.append(sock)
            super().__init__(sock)

        def send(self, data, deadline):
            written.append(data)
            super().send(data, deadline)

    monkeypatch.setattr(wire, "TimedSocket", Seen)
    with scripted(OK) as server:
        to = upstream(server.url)
        ask(to)
        host = server.url.removeprefix("http://").encode()

        [sock] = opened
        assert sock.getsockopt(SOL_SOCKET, SO_KEEPALIVE)
        assert sock.getsockopt(IPPROTO_TCP, TCP_NODELAY)
    [whole] = written
    assert whole.startswith(b"POST /ask HTTP/1.1\r\nHost: %b\r\n" % host)
    assert whole.endswith(b'\r\n\r\n{"a":1}')


def test_a_connection_that_was_idle_for_a_minute_is_not_used_again(clock):
    with scripted(OK) as server:
        to = upstream(server.url, timeout=200)
        ask(to)
        clock.advance(59)
        ask(to)
        clock.advance(60)
        ask(to)

    assert connections(server) == [1, 1, 2]


@pytest.mark.parametrize(
    "url, addresses, each",
    [
        pytest.param("http://up.test", 1, 3.0, id="one address"),
        pytest.param("http://up.test", 3, 1.0, id="three addresses"),
        pytest.param("https://up.test", 2, 1.0, id="two addresses and TLS"),
    ],
)
def test_all_steps_to_connect_share_three_seconds(monkeypatch, url, addresses, each):
    seconds = []

    def connect(self):
        seconds.append(self.timeout)
        raise ConnectionRefusedError

    responses.add_passthru(url)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [()] * addresses)
    monkeypatch.setattr(HTTPConnection, "connect", connect)
    monkeypatch.setattr(HTTPSConnection, "connect", connect)

    with pytest.raises(UpstreamError):
        ask(upstream(url))

    assert seconds == [each]
