"""A connection under waitress: whose turn it is, and what becomes of who does not take it."""

import errno
import socket
from collections.abc import Iterator

import pytest
from builders import Clock
from waitress.adjustments import Adjustments

from octomil_ref import clock
from octomil_ref.servers.waitress_connection import Channel, Listener


class Dispatcher:
    def add_task(self, task: object) -> None:
        """Requests are left waiting."""


def nothing(environ, start_response) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "0")])
    return []


@pytest.fixture
def time(monkeypatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "time", fake)
    return fake


@pytest.fixture
def listener(time) -> Iterator[Listener]:
    adjustments = Adjustments(host="127.0.0.1", port=0)
    listener = Listener(
        nothing,
        {},
        dispatcher=Dispatcher(),
        adj=adjustments,
        client_timeout=30,
    )
    yield listener
    listener.close()


@pytest.fixture
def pair(listener) -> Iterator[tuple[Channel, socket.socket]]:
    """A connection's two ends."""
    ours, theirs = socket.socketpair()
    channel = Channel(listener, ours, ("", 0), listener.adj, map={})
    with theirs:
        yield channel, theirs
        channel.handle_close()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("asked", "answered", "ends"), [(4, 4, False), (5, 4, True), (200, 4, True)]
)
def test_too_many_requests_at_once_are_not_all_answered(pair, asked, answered, ends):
    channel, client = pair
    client.sendall(GET * asked)
    channel.handle_read()

    while channel.requests:
        channel.service()
        channel.handle_write()

    assert client.recv(65536).count(b" 200 OK") == answered
    assert channel.connected is not ends


def test_a_client_that_sends_no_more_gets_its_answers_and_then_the_end(pair):
    channel, client = pair
    client.sendall(GET * 2)
    channel.handle_read()
    client.shutdown(socket.SHUT_WR)
    channel.handle_read()
    waited_for = channel.readable()

    while channel.connected:
        if channel.requests:
            channel.service()
        if channel.writable():
            channel.handle_write()

    assert not waited_for  # else it would be told of this end again and again
    assert client.recv(65536).count(b" 200 OK") == 2
    assert client.recv(1) == b""


@pytest.mark.parametrize("said", [b"", b"GET / HTT"])
def test_a_client_that_sends_no_more_before_its_request_is_whole_has_left(pair, said):
    channel, client = pair
    if said:
        client.sendall(said)
        channel.handle_read()
    client.shutdown(socket.SHUT_WR)

    channel.handle_read()

    assert not channel.connected


def test_a_client_that_resets_while_its_request_runs_has_left(pair, monkeypatch):
    channel, client = pair
    client.sendall(GET)
    channel.handle_read()
    monkeypatch.setattr(channel, "socket", Reset(channel.socket))

    channel.handle_read()

    assert not channel.connected


class Reset:
    """A socket whose other end is gone."""

    def __init__(self, real: socket.socket) -> None:
        self.close = real.close

    def recv(self, size: int, flags: int = 0) -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "reset")


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


def after(seconds: float, channel: Channel, time: Clock) -> bool:
    """Whether it closes, asked now and so much later."""
    channel.writable()
    time.advance(seconds)
    channel.writable()
    return not channel.connected


@pytest.mark.parametrize("said", [b"", b"POST", HEAD, HEAD + b"{"])
def test_a_client_has_its_time_to_send_a_request(pair, time, said):
    channel, client = pair
    if said:
        client.sendall(said)
        channel.handle_read()

    assert not after(29, channel, time)
    assert after(1, channel, time)


def test_a_request_that_drips_gets_no_more_time(pair, time):
    channel, client = pair
    client.sendall(b"P")
    channel.handle_read()
    early = after(20, channel, time)

    client.sendall(b"O")
    channel.handle_read()

    assert not early
    assert after(10, channel, time)


@pytest.mark.parametrize(
    ("said", "closes"), [(b"POST", True), (HEAD, False), (HEAD + b"{", False)]
)
def test_who_is_hurried_has_less_time_for_a_head(pair, time, said, closes):
    channel, client = pair
    client.sendall(said)
    channel.handle_read()
    channel.writable()

    channel.hurry(2)

    assert after(2, channel, time) == closes


def test_to_hurry_who_has_said_nothing_changes_nothing(pair, time):
    channel, _ = pair
    channel.writable()

    channel.hurry(2)

    assert not after(2, channel, time)


def test_while_its_request_runs_a_client_need_not_do_anything(pair, time):
    channel, client = pair
    client.sendall(HEAD + b"{}" + b"POST")
    channel.handle_read()

    assert len(channel.requests) == 1 and channel.request
    assert not after(1000, channel, time)


def test_a_connection_that_served_waits_for_a_next_request_in_peace(pair, time):
    channel, client = pair
    client.sendall(HEAD + b"{}")
    channel.handle_read()
    channel.requests.clear()

    assert not after(1000, channel, time)


def test_a_client_has_its_time_to_take_some_of_the_answer(pair, time):
    channel, _ = pair
    channel.requests.append(object())
    channel.write_soon(b"x" * 10_000_000)

    assert channel.total_outbufs_len
    assert not after(29, channel, time)
    assert after(1, channel, time)


def test_a_client_that_takes_some_has_its_time_again(pair, time):
    channel, client = pair
    channel.requests.append(object())
    channel.write_soon(b"x" * 10_000_000)
    after(29, channel, time)

    client.recv(10_000_000)
    channel.handle_write()

    assert channel.total_outbufs_len
    assert not after(29, channel, time)


def test_a_thread_may_give_its_answer_when_the_server_has_just_closed(pair, listener):
    channel, client = pair
    client.sendall(GET)
    channel.handle_read()

    listener.close()
    channel.service()

    assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


class Refusing:
    """A listening socket whose accept() fails."""

    def __init__(self, number: int) -> None:
        self._number = number

    def accept(self) -> None:
        raise OSError(self._number, "refused")

    def close(self) -> None:
        """It never was open."""


@pytest.fixture
def refusing(listener, monkeypatch):
    def refusing(number: int) -> Listener:
        listener.socket.close()
        monkeypatch.setattr(listener, "socket", Refusing(number))
        return listener

    return refusing


def test_without_a_descriptor_nobody_is_let_in_for_a_while(refusing, time):
    listener = refusing(errno.EMFILE)
    before = listener.readable()

    listener.handle_accept()
    shut = not listener.readable()
    time.advance(1)

    assert (before, shut, listener.readable()) == (True, True, True)


def test_another_failure_is_waitress_s(refusing, caplog):
    listener = refusing(errno.EBADF)

    listener.handle_accept()

    assert "accept() threw an exception" in caplog.text
    assert listener.readable()
