"""A socket under gunicorn: its timeout bounds a whole, and a client that takes nothing is left."""

import errno
import socket
from collections.abc import Iterator

import pytest
from builders import Clock

from octomil_ref import clock
from octomil_ref.servers.gunicorn_connection import Socket, half_close, may_send_more


@pytest.fixture
def pair() -> Iterator[tuple[Socket, socket.socket]]:
    """The server's end, which waits for nobody longer than a moment, and the client's."""
    ours, theirs = socket.socketpair()
    own = Socket.taking_over(ours, 0.05)
    with own, theirs:
        yield own, theirs


@pytest.fixture
def time(monkeypatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "time", fake)
    return fake


def test_a_timeout_is_for_all_that_is_received(pair, time):
    own, client = pair
    own.settimeout(30)

    for _ in range(3):
        client.sendall(b"x")
        assert own.recv(1) == b"x"
        time.advance(10)

    with pytest.raises(TimeoutError) as caught:
        own.recv(1)
    assert caught.value.errno == errno.EPIPE, "gunicorn logs others"


def test_a_timeout_that_is_set_anew_begins_anew(pair, time):
    own, client = pair
    client.sendall(b"x")
    own.settimeout(30)
    time.advance(40)

    own.settimeout(30)

    assert own.recv(1) == b"x"
    assert own.gettimeout() == 30


def test_without_a_timeout_it_waits(pair):
    own, client = pair
    own.settimeout(30)
    own.settimeout(None)
    client.sendall(b"x")

    assert own.recv(1) == b"x"
    assert own.gettimeout() is None


def test_a_client_that_takes_nothing_is_one_that_left(pair):
    own, _ = pair

    with pytest.raises(BrokenPipeError) as caught:
        own.sendall(b"x" * 10_000_000)

    assert caught.value.errno == errno.EPIPE


def test_what_is_taken_is_sent(pair):
    own, client = pair

    own.sendall(b"hello")

    assert client.recv(10) == b"hello"


def test_a_client_may_send_more_until_it_ends(pair):
    own, client = pair
    own.setblocking(False)

    silent = may_send_more(own)
    client.sendall(b"x")
    talking = may_send_more(own)
    client.close()
    ended = may_send_more(own)

    assert (silent, talking, ended) == (True, True, False)


def test_a_client_that_broke_off_sends_no_more():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()

    with ours:
        assert not may_send_more(ours)
        half_close(ours)


def test_a_client_that_left_at_once_is_taken_over_where_its_socket_takes_no_option(
    monkeypatch,
):
    def refuse(*args: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(Socket, "setsockopt", refuse)
    ours, theirs = socket.socketpair()
    theirs.close()

    with Socket.taking_over(ours, 1) as own:
        assert own.recv(1) == b""
