"""Clients that leave: how they are noticed, and which of their calls are ended."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from builders import WAIT, keeping, new_record, plain, scripted
from octomil_conformance.backend.scripts import raw, stall

from octomil_ref import clients
from octomil_ref.backends.http import Upstream, UpstreamResponse
from octomil_ref.clients import NOBODY, Client, client_of, look, watched
from octomil_ref.errors import ClientLeft
from octomil_ref.records import asking_for


@pytest.fixture(autouse=True)
def looking_often(monkeypatch) -> None:
    monkeypatch.setattr(clients, "INTERVAL", 0.01)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection: of a client, and of the server."""
    ends = socket.socketpair()
    with ends[0], ends[1]:
        yield ends


class Leaving:
    """A client of waitress, which says when it has left."""

    def __init__(self) -> None:
        self.has_left = False
        self.client = client_of({"waitress.client_disconnected": lambda: self.has_left})


def is_broken_off(client: Client) -> bool:
    """True if the next look breaks off a call for the client."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = watched(client, ours)
        look()
        return not call.end()


def test_waitress_says_that_a_client_left():
    leaving = Leaving()

    before = is_broken_off(leaving.client)
    leaving.has_left = True

    assert (before, is_broken_off(leaving.client)) == (False, True)


@pytest.mark.parametrize(
    ("leave", "has_left"),
    [
        (lambda end: end.close(), True),
        (lambda end: end.shutdown(socket.SHUT_WR), True),
        (lambda end: end.sendall(b"GET / HTTP/1.1"), False),
    ],
    ids=["closed", "closed for sending", "sends its next request"],
)
def test_the_socket_of_gunicorn_shows_whether_a_client_left(pair, leave, has_left):
    end, gunicorn_socket = pair
    leave(end)

    left = is_broken_off(client_of({"gunicorn.socket": gunicorn_socket}))

    assert left == has_left


def test_a_connection_that_the_server_closed_has_no_client():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()

        assert is_broken_off(client_of({"gunicorn.socket": ours}))


def test_a_client_of_another_server_is_not_watched():
    assert not is_broken_off(client_of({}))


def test_the_thread_notices_a_client_that_left(pair):
    leaving = Leaving()
    pair[0].settimeout(WAIT)
    watched(leaving.client, pair[0])

    leaving.has_left = True

    assert pair[0].recv(1) == b""


def test_several_starts_make_one_thread(monkeypatch):
    monkeypatch.setattr(clients, "_thread", threading.Thread())
    before = threads_that_look()

    for _ in range(3):
        clients._start()

    assert threads_that_look() == before + 1


def threads_that_look() -> int:
    return [thread.name for thread in threading.enumerate()].count("clients")


def test_a_call_that_has_ended_is_left_alone(pair):
    leaving = Leaving()
    call = watched(leaving.client, pair[0])
    assert call.end()

    leaving.has_left = True
    look()
    call.break_off()

    pair[1].sendall(b"a")
    assert pair[0].recv(1) == b"a"


def test_a_connection_that_is_closed_already_is_no_failure(pair):
    leaving = Leaving()
    watched(leaving.client, pair[0])
    pair[0].close()
    leaving.has_left = True

    look()

    assert leaving.client.left


def test_nothing_is_begun_for_a_client_that_has_left(pair):
    client = Client()
    client.left = True

    with pytest.raises(ConnectionAbortedError):
        watched(client, pair[0])


def begun(to: Upstream, client: Client) -> UpstreamResponse:
    record = new_record()
    record.client = client
    with asking_for(record):
        return to.post("/ask", {})


def asked(to: Upstream, client: Client) -> None:
    with closing(begun(to, client)) as answer:
        answer.body()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 9\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        HEAD + b"\r\nabc",
    ],
    ids=["with a length", "in chunks", "without a length"],
)
def test_a_call_ends_when_its_answer_has_begun(sent):
    leaving = Leaving()
    with scripted(raw(sent, end=stall)) as server:
        to = Upstream("ollama", server.url, {}, WAIT)
        with closing(begun(to, leaving.client)) as answer:
            leaving.has_left = True
            with pytest.raises(ClientLeft):
                answer.body()


def test_a_call_ends_before_its_answer_and_leaves_other_connections_alone():
    leaving = Leaving()

    def leave(response):
        leaving.has_left = True
        stall(response)

    def two_at_once():
        with closing(begun(to, NOBODY)) as answer:
            asked(to, NOBODY)
            answer.body()

    answers = keeping(plain(b"{}"))
    with scripted(answers, answers, leave, answers) as server:
        to = Upstream("ollama", server.url, {}, WAIT)
        two_at_once()
        with pytest.raises(ClientLeft):
            asked(to, leaving.client)
        two_at_once()

    assert [each.connection_id for each in server.requests] == [1, 2, 1, 3, 2]


def test_a_connection_whose_client_left_at_the_end_is_not_used_again(monkeypatch):
    leaving = Leaving()
    complete = keeping(plain(b"{}"))
    monkeypatch.setattr(clients.Call, "end", lambda call: call.client is NOBODY)
    with scripted(complete) as server:
        to = Upstream("ollama", server.url, {}, WAIT)
        asked(to, leaving.client)
        asked(to, NOBODY)

    assert [each.connection_id for each in server.requests] == [1, 2]
