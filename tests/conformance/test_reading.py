"""How the suite reads: events byte by byte, answers off a socket, and what a failed assert compared."""

import gzip
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import pytest
from octomil_conformance import schemas, sse
from octomil_conformance.exchange import (
    MISSING,
    Chunk,
    Exchange,
    Fields,
    Request,
    read_json,
)
from octomil_conformance.findings import Finding, evidence
from octomil_conformance.report.redact import redact
from octomil_conformance.transport import Transfer


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


def test_a_frame_knows_whether_it_was_ended():
    assert [frame.terminated for frame in sse.parse(b"data: 1\n\ndata: 2\n")] == [
        True,
        False,
    ]


def test_a_field_that_is_missing_reads_as_such():
    value = read_json(b'{"a": {"b": 1}}')

    assert isinstance(value, Fields)
    assert value["a"]["b"] == 1
    assert value["x"]["y"] is MISSING
    assert read_json(b"[" * 100_000) is MISSING


HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*pieces, pause=0.0):
    """The URL of one connection's answer, in pieces."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        thread.join()


def fetch(url, seconds=5.0):
    seen = []
    request = Request("POST", url, (("Content-Length", "2"),), b"{}")
    exchange = Transfer(request, time.monotonic() + seconds, seen.append).finish()
    assert seen == [exchange]
    return exchange


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


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
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",
            b"",
            "complete",
        ),
        (
            HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi"),
            b"hi",
            "closed",
        ),
        (b"", b"", "nothing"),
        (b"garbage\r\n\r\n", b"", "nothing"),
    ],
)
def test_every_way_to_end_is_told_apart(answer, body, end):
    with answering(answer) as url:
        exchange = fetch(url)

    assert (exchange.body, exchange.end) == (body, end)


def test_each_piece_keeps_its_time():
    with answering(
        CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n", pause=0.05
    ) as url:
        exchange = fetch(url)

    assert [chunk.data for chunk in exchange.chunks] == [b"a", b"b"]
    assert exchange.chunks[1].at - exchange.chunks[0].at > 0.03
    assert exchange.arrival(2) == exchange.chunks[1].at


@pytest.mark.parametrize("dripped", [HEAD, CHUNKED + b"9\r\n123456789\r\n" * 3])
def test_an_answer_that_drips_ends_at_the_deadline(dripped):
    pieces = [dripped[index : index + 1] for index in range(len(dripped))]
    began = time.monotonic()
    with answering(*pieces[:30], pause=0.02) as url:
        exchange = fetch(url, seconds=0.2)
        spent = time.monotonic() - began

    assert exchange.end in ("nothing", "deadline")
    assert spent < 0.5


def found(check, mask=str):
    with pytest.raises(AssertionError) as failed:
        check()
    return evidence(failed.value, mask)


def test_evidence_is_what_was_compared():
    status = 500

    def plain():
        assert status == 200

    def worded():
        assert status in (200, 201), "a success"

    def called():
        assert isinstance(status, str), "text"

    def raised():
        raise Finding("an answer", "silence")

    assert vars(found(plain)) == {"got": "500", "want": "200"}
    assert vars(found(worded)) == {"got": "500", "want": "a success"}
    assert vars(found(called)) == {"got": "500", "want": "text"}
    assert vars(found(raised)) == {"got": "silence", "want": "an answer"}


def test_long_values_are_shortened():
    text = "x" * 5000

    def check():
        assert text == ""

    assert len(found(check).got) < 400


@pytest.mark.parametrize("before", range(150, 310, 10))
def test_no_part_of_a_token_is_left_where_a_long_value_is_cut(before):
    text = "x" * before + "a-token-of-someone" + "y" * 310

    def check():
        assert text == ""

    shown = found(check, partial(redact, token="a-token-of-someone"))
    assert re.findall("a-tok|meone", shown.got) == []


def test_short_tokens_are_masked_where_they_stand_alone():
    assert redact('Bearer tok {"token": 1}', "tok") == 'Bearer [redacted] {"token": 1}'
    assert redact("xsecret-secrety", "secret-secret") == "x[redacted]y"
    assert redact('{"a": "say \\"hello\\""}', 'say "hello"') == '{"a": "[redacted]"}'
    assert redact("nothing", None) == "nothing"


def test_only_whole_answers_are_held_to_their_schema():
    request = Request("POST", "http://x/api/v1/inference", (), b"{}", "infer")
    pieces = (Chunk(0.1, b'{"output"'),)

    left = Exchange(request, 200, (), pieces, "hung up", 0.2)
    whole = Exchange(request, 200, (), pieces, "complete", 0.2)

    assert schemas.answer_complaints(left) == []
    assert len(schemas.answer_complaints(whole)) == 1
