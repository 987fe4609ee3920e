"""The HTTP client: how a transfer ended, when its pieces arrived, that it never lasts longer than its deadline, and how a body is read."""

import gzip
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from octomil_conformance import sse
from octomil_conformance.backend.response import Response as Answer
from octomil_conformance.backend.scripts import stall
from octomil_conformance.backend.upstream import Upstream
from octomil_conformance.exchange import MISSING, Request, read_json
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import Response
from octomil_conformance.transport import Transfer

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"
GZIPPED = b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi", mtime=0)


@contextmanager
def answering(*pieces, pause=0.0, end=Answer.close):
    """The URL of a server that answers in pieces, with a pause after each."""

    def script(answer):
        for piece in pieces:
            answer.send(piece)
            answer.stopped.wait(pause)
        end(answer)

    with Upstream(script=script) as server:
        yield f"{server.url}/x"


def fetch(url, seconds=5.0):
    seen = []
    request = Request("POST", url, (("Content-Length", "2"),), b"{}")
    exchange = Transfer(request, time.monotonic() + seconds, seen.append).finish()
    assert seen == [exchange]
    return exchange


@pytest.mark.parametrize(
    "answer, body, end",
    [
        (CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", b"hi", "complete"),
        (CHUNKED + b"2\r\nhi\r\n", b"hi", "cut"),
        (CHUNKED + b"9\r\nhi", b"hi", "cut"),
        (HEAD + b"Content-Length: 2\r\n\r\nhi", b"hi", "complete"),
        (HEAD + b"Content-Length: 9\r\n\r\nhi", b"hi", "cut"),
        (HEAD + b"\r\nhi", b"hi", "closed"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", "complete"),
        (CONTINUE + HEAD + b"Content-Length: 0\r\n\r\n", b"", "complete"),
        (CONTINUE + HINTS + HEAD + b"Content-Length: 2\r\n\r\nhi", b"hi", "complete"),
        (HEAD + GZIPPED, b"hi", "closed"),
        (b"", b"", "nothing"),
        (b"garbage\r\n\r\n", b"", "nothing"),
    ],
)
def test_every_way_to_end_is_distinguished(answer, body, end):
    with answering(answer) as url:
        exchange = fetch(url)

    assert (exchange.body, exchange.end) == (body, end)


def test_each_piece_keeps_its_time():
    pieces = CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"
    with answering(*pieces, pause=0.05) as url:
        exchange = fetch(url)

    first, second = exchange.chunks
    assert (first.data, second.data) == (b"a", b"b")
    assert 0 < first.at < second.at <= exchange.seconds
    assert exchange.arrival(2) == second.at


@pytest.mark.parametrize(
    "dripped, end", [(HEAD, "nothing"), (CHUNKED + b"9\r\n1", "deadline")]
)
def test_an_answer_that_drips_ends_at_the_deadline(dripped, end):
    with answering(dripped, end=stall) as url:
        exchange = fetch(url, seconds=0.2)

    assert exchange.end == end
    assert exchange.problem.endswith("within 0.2 s")


def test_a_connection_that_is_kept_serves_the_next_request():
    with serving(lambda request: Response(200, {}, [b"%d" % request.nth])) as url:
        first, second = in_a_row(url)

    assert (first.body, second.body) == (b"1", b"2")


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"Connection: close\r\n",
        b"HTTP/1.0 200 OK\r\n",
        pytest.param(HEAD, id="not announced"),
    ],
)
def test_a_connection_that_the_server_closes_is_opened_anew(head):
    with answering(head + b"Content-Length: 2\r\n\r\nhi") as url:
        first, second = in_a_row(url)

    assert (first.body, second.body) == (b"hi", b"hi")


def test_a_body_is_sent_to_its_end_if_another_request_follows():
    """Even after an early response: the server would take what follows for the rest of the body."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as received:
                for size in (LARGE, 0):
                    while received.readline().strip():
                        pass
                    connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
                    received.read(size)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        given = (("Content-Length", str(LARGE)),)
        first = Request("POST", url, given, b"", padding=LARGE)
        second = Request("POST", url, (("Content-Length", "0"),), b"")
        kept = Transfer(first, time.monotonic() + 5, keep=True)
        ends = [kept.finish().end]
        ends.append(Transfer(second, time.monotonic() + 5, after=kept).finish().end)
        thread.join()

    assert ends == ["complete", "complete"]


LARGE = 8 * 1024 * 1024
"""Bytes: more than sockets hold."""


def test_session_tickets_are_not_a_response(monkeypatch):
    """A server that speaks TLS sends them first. The client still sends its whole body."""
    certificate = Path(__file__).with_name("localhost.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            accepted, _ = listener.accept()
            with context.wrap_socket(accepted, server_side=True) as connection:
                with connection.makefile("rb") as received:
                    while received.readline().strip():
                        pass
                    received.read(LARGE)
                connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nhi")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        headers = (("Content-Length", str(LARGE)),)
        request = Request("POST", url, headers, b"", padding=LARGE)
        exchange = Transfer(request, time.monotonic() + 10).finish()
        thread.join()

    assert (exchange.body, exchange.problem) == (b"hi", "")


def in_a_row(url):
    request = Request("POST", url, (("Content-Length", "2"),), b"{}")
    first = Transfer(request, time.monotonic() + 5, keep=True)
    yield first.finish()
    second = Transfer(request, time.monotonic() + 5, after=first)
    yield second.finish()
    second.close()


def test_query_and_padding_are_sent():
    def measure(request):
        return Response(200, {}, [f"{request.query} {len(request.body)}".encode()])

    headers = (("Content-Length", "200002"),)
    with serving(measure) as url:
        request = Request("POST", f"{url}/p?x=1", headers, b"{}", padding=200_000)
        exchange = Transfer(request, time.monotonic() + 5).finish()

    assert exchange.body == b"x=1 200002"


def test_a_request_that_cannot_be_sent_in_time_closes_its_connection():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        request = Request("POST", url, (), b"", padding=LARGE)
        transfer = Transfer(request, time.monotonic() + 0.1)
        exchange = transfer.finish()
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            while connection.recv(LARGE):
                pass  # until it is closed

    assert (exchange.end, str(exchange.status)) == ("nothing", "no response")


def test_a_body_waits_for_the_server_to_ask_for_it():
    received = []

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            received.append(connection.recv(65536))
            connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        headers = (("Content-Length", "2"), ("Expect", "100-continue"))
        request = Request("POST", url, headers, b"{}")
        exchange = Transfer(request, time.monotonic() + 5).finish()
        thread.join()

    assert exchange.status == 200
    assert [received[0][-4:], received[1]] == [b"\r\n\r\n", b"{}"]


def test_a_refused_connection_is_a_named_problem():
    with Upstream() as gone:
        gone.stop_listening()
        request = Request("GET", f"{gone.url}/x", (), b"")
        transfer = Transfer(request, time.monotonic() + 5)

    assert not transfer.is_connected
    assert transfer.finish().problem.startswith("ConnectionRefusedError")


@pytest.mark.parametrize(
    "body, payloads",
    [
        (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: 1\r\n\r\ndata:2\r\n\r\n", [b"1", b"2"]),
        (b": hi\n\nevent: token\nid: 7\ndata: 1\n\n", [b"1"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b" data: 1\n\n", [b"1"]),
        (b"data: 1\rdata: 2\r\r", [b"1\n2"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_events_are_read_leniently(body, payloads):
    assert [frame.payload for frame in sse.parse(body) if frame.data] == payloads


def test_a_missing_field_reads_as_missing():
    value = read_json(b'{"a": {"b": 1}}')

    assert value["a"]["b"] == 1
    assert value["x"]["y"] is MISSING
    assert read_json(b"[" * 100_000) is MISSING
