"""A socket whose calls end at a deadline, and what a response's body leaves behind."""

import socket
import ssl
import threading

import pytest

from octomil_ref.backends.framing import take_head
from octomil_ref.backends.wire import SLACK, Body, TimedSocket
from octomil_ref.clock import Deadline


class Scripted:
    """A socket whose `recv` takes the next script: it calls a function, raises an exception or returns a value."""

    def __init__(self, *scripts: object) -> None:
        self._scripts = iter(scripts)
        self.limits: list[float] = []

    def settimeout(self, seconds):
        assert seconds is None

    def setsockopt(self, level, option, limit):
        seconds, microseconds = (
            int.from_bytes(limit[a : a + 8], "little") for a in (0, 8)
        )
        self.limits.append(seconds + microseconds / 1e6)

    def recv(self, size):
        script = next(self._scripts)
        if callable(script):
            script = script()
        if isinstance(script, Exception):
            raise script
        return script

    def send(self, data):
        return self.recv(len(data))


def test_a_peer_that_sends_nothing_is_waited_for_until_the_deadline():
    sender, receiver = socket.socketpair()
    with sender, receiver, pytest.raises(TimeoutError):
        TimedSocket(receiver).receive(1, Deadline(0.05))


def test_a_peer_that_takes_nothing_is_waited_for_until_the_deadline():
    sender, receiver = socket.socketpair()
    with sender, receiver, pytest.raises(TimeoutError):
        TimedSocket(sender).send(bytes(10_000_000), Deadline(0.05))


def test_all_is_sent_in_as_many_parts_as_the_peer_takes():
    sender, receiver = socket.socketpair()
    data, received = bytes(range(256)) * 8192, []

    def receive_all():
        while part := receiver.recv(65536):
            received.append(part)

    with sender, receiver:
        thread = threading.Thread(target=receive_all)
        thread.start()
        TimedSocket(sender).send(data, Deadline(20))
        sender.close()
        thread.join()

    assert b"".join(received) == data


def test_a_limit_that_was_reached_before_the_deadline_is_set_anew(clock):
    def early():
        clock.advance(3)
        return BlockingIOError()

    sock = Scripted(early, b"a", early, 1)
    timed, deadline = TimedSocket(sock), Deadline(10)

    assert timed.receive(1, deadline) == b"a"
    timed.send(b"b", deadline)

    assert sock.limits == pytest.approx([10, 7, 7, 4], abs=0.001)


def test_the_first_limit_is_set_however_short_it_is(clock):
    sock = Scripted(b"a")

    TimedSocket(sock).receive(1, Deadline(SLACK / 2))

    assert sock.limits == pytest.approx([SLACK / 2], abs=0.001)


def test_tokens_in_time_do_not_set_the_limit_again(clock):
    def in_time():
        clock.advance(5)
        return b"token"

    sock = Scripted(in_time, in_time, in_time)
    timed, deadline = TimedSocket(sock), Deadline(10)
    for _ in range(3):
        timed.receive(9, deadline)
        deadline.renew(10 - SLACK / 2)

    assert sock.limits == pytest.approx([10], abs=0.001)


def test_bytes_without_a_token_do_not_extend_the_deadline(clock):
    def comment():
        clock.advance(4)
        return b":"

    sock = Scripted(comment, comment, comment, b"never read")
    timed, deadline = TimedSocket(sock), Deadline(10)

    for _ in range(3):
        timed.receive(1, deadline)
    with pytest.raises(TimeoutError):
        timed.receive(1, deadline)

    assert sock.limits == pytest.approx([10, 6, 2], abs=0.001)


def test_a_limit_is_kept_by_python_where_the_kernel_does_not_see_the_messages():
    near, far = socket.socketpair()
    encrypted = ssl.create_default_context().wrap_socket(
        near, server_hostname="up.test", do_handshake_on_connect=False
    )
    with far, encrypted:
        timed = TimedSocket(encrypted)

        with pytest.raises(OSError):  # there was no handshake
            timed.receive(1, Deadline(0.05))

        assert 0 < encrypted.gettimeout() <= 0.05


def test_a_body_is_read_on_if_only_the_size_of_a_chunk_has_arrived():
    head, _ = take_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    sock = TimedSocket(Scripted(b"ab\r\n", b"0\r\n\r\n"))

    body = Body(head, b"2\r\n", sock, Deadline(20))

    assert [body.read1(9), body.read1(9)] == [b"ab", b""]
