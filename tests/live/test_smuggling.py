"""Requests that two servers could read in two ways, and text that wants to become a header: under waitress and under gunicorn.

Whatever a client sends, it runs one request or none; what is not clear is refused, and the connection ends.
"""

import json
import re
import select
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from dialects import ollama_chat
from processes import serve
from reference import ASK, AUTHORIZED, Reference, receive_all, reference

BODY = json.dumps(ASK).encode()
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(BODY)}"

INFER = "POST /api/v1/inference HTTP/1.1"
INFER_1_0 = "POST /api/v1/inference HTTP/1.0"
HEALTH = "GET /api/v1/health HTTP/1.1"


def head(*fields: str, line: str = INFER, end: str = "\r\n") -> bytes:
    given = ["Host: localhost", f"Authorization: {AUTHORIZED['Authorization']}"]
    lines = [line, *given, "Content-Type: application/json", *fields]
    return end.join([*lines, "", ""]).encode("latin-1")


HIDDEN = head(LENGTH) + BODY
"""A good request, which somebody may take for a part of the one before it."""

LAST = head("Connection: close", line=HEALTH)
"""Follows on the same connection: its answer shows that what came before was read to its end and no further."""


def chunked(size_line: bytes = b"%x\r\n" % len(BODY), rest: bytes = b"\r\n0\r\n\r\n"):
    return head(CHUNKED) + size_line + BODY + rest


REFUSED: dict[str, bytes] = {
    # Length and chunks, either of them first, the hidden request behind the end of one of them
    "length before chunks": head("Content-Length: 5", CHUNKED) + b"0\r\n\r\n" + HIDDEN,
    "length behind chunks": head(CHUNKED, "Content-Length: 4") + IN_CHUNKS,
    "length that agrees with the chunks": head(
        f"Content-Length: {len(IN_CHUNKS)}", CHUNKED
    )
    + IN_CHUNKS,
    "two lengths": head("Content-Length: 0", LENGTH) + BODY,
    "two equal lengths": head(LENGTH, LENGTH) + BODY,
    "two equal lengths in one": head(f"{LENGTH}, {len(BODY)}") + BODY,
    # Codings
    "chunked twice": head(CHUNKED, CHUNKED) + IN_CHUNKS,
    "chunked in chunked": head(f"{CHUNKED}, chunked") + IN_CHUNKS,
    "chunked, then nothing": head(CHUNKED, "Transfer-Encoding:") + IN_CHUNKS,
    "no coding": head("Transfer-Encoding:") + HIDDEN,
    "an empty coding": head("Transfer-Encoding: ,chunked") + IN_CHUNKS,
    "xchunked": head("Transfer-Encoding: xchunked") + IN_CHUNKS,
    "chunked in quotes": head('Transfer-Encoding: "chunked"') + IN_CHUNKS,
    "chunked with a parameter": head(f"{CHUNKED};q=1") + IN_CHUNKS,
    "chunked behind a vertical tab": head("Transfer-Encoding: \x0bchunked") + IN_CHUNKS,
    "chunked behind a byte 85": head("Transfer-Encoding: \x85chunked") + IN_CHUNKS,
    "chunked and a NUL": head(f"{CHUNKED}\x00") + IN_CHUNKS,
    "chunked, identity": head(f"{CHUNKED}, identity") + IN_CHUNKS,
    "identity": head("Transfer-Encoding: identity", LENGTH) + BODY,
    # Lengths
    **{
        f"length {value!r}": head(f"Content-Length: {value}") + BODY
        for value in [
            *(f"+{len(BODY)}", f"-{len(BODY)}", hex(len(BODY)), f"{len(BODY)}.0"),
            *(f"{len(BODY) // 10} {len(BODY) % 10}", f"{len(BODY)}\x0b", "", "1_0"),
            *("\xb2", "9" * 30),
        ]
    },
    # Lines
    "line feeds alone": head(LENGTH, end="\n") + BODY + b"\r\n\r\n",
    "one line feed alone": head(f"X-A: b\n{LENGTH}") + BODY,
    "a carriage return alone": head(f"X-A: b\r{LENGTH}") + BODY,
    "a folded coding": head("Transfer-Encoding:\r\n chunked") + IN_CHUNKS,
    "a folded length": head("Content-Length: 0\r\n 0") + HIDDEN,
    "a length that may be folded": head(f"X-A: b\r\n {LENGTH}") + BODY,
    "a space before the first field": head(LENGTH).replace(b"Host", b" Host") + BODY,
    "a space before the colon of a length": head(f"Content-Length : {len(BODY)}")
    + BODY,
    "a space before the colon of a coding": head("Transfer-Encoding : chunked")
    + IN_CHUNKS,
    "a tab before the colon of a coding": head("Transfer-Encoding\t: chunked")
    + IN_CHUNKS,
    "a NUL in a name": head(f"Content-\x00Length: {len(BODY)}") + BODY,
    "two hosts": head("Host: example.com", LENGTH) + BODY,
    "two equal hosts": head("Host: localhost", LENGTH) + BODY,
    "two hosts under HTTP/1.0": head("Host: a", LENGTH, line=INFER_1_0) + BODY,
    # Versions
    "chunks under HTTP/1.0": head(CHUNKED, line=INFER_1_0) + IN_CHUNKS,
    "chunks under a kept HTTP/1.0": head(
        CHUNKED, "Connection: keep-alive", line=INFER_1_0
    )
    + HIDDEN,
    "length and chunks under a kept HTTP/1.0": head(
        LENGTH, CHUNKED, "Connection: keep-alive", line=INFER_1_0
    )
    + BODY
    + HIDDEN,
    "no version": head(LENGTH, line="POST /api/v1/inference") + BODY,
    "HTTP/2.0": head(LENGTH, line="POST /api/v1/inference HTTP/2.0") + BODY,
    # Chunks
    "a size with junk behind": chunked(b"%xg\r\n" % len(BODY)),
    "a size with 0x": chunked(b"0x%x\r\n" % len(BODY)),
    "a size with a plus": chunked(b"+%x\r\n" % len(BODY)),
    "a size with a minus": chunked(b"-%x\r\n" % len(BODY)),
    "a size with an underscore": chunked(b"0_%x\r\n" % len(BODY)),
    "a size behind a space": chunked(b" %x\r\n" % len(BODY)),
    "a size and a line feed": chunked(b"%x\n" % len(BODY)),
    "a size, a line feed, a whole line end": chunked(b"%x\n\r\n" % len(BODY)),
    "a line feed in an extension": chunked(b"%x;a\nb\r\n" % len(BODY)),
    "a line feed at the end of an extension": chunked(b"%x;a\n\r\n" % len(BODY)),
    "a blank line before a size": chunked(b"\r\n%x\r\n" % len(BODY)),
    "more data than the size says": chunked(rest=b"xx\r\n0\r\n\r\n"),
    "data that a line feed ends": chunked(rest=b"\n0\r\n\r\n"),
    "a last chunk and a line feed": chunked(rest=b"\r\n0\n\r\n\r\n"),
    "a line feed in a trailer": chunked(rest=b"\r\n0\r\nX-A: b\n\n\r\n\r\n"),
    "a request for a trailer": chunked(rest=b"\r\n0\r\n") + HIDDEN,
}

NOT_4XX = {501}
"""For a coding that the server does not know (RFC 9112 section 6.1)."""

READ: dict[str, bytes] = {
    "a length": head(LENGTH) + BODY,
    "a length with a zero in front": head(f"Content-Length: 0{len(BODY)}") + BODY,
    "chunks": head(CHUNKED) + IN_CHUNKS,
    "more space before chunked": head("Transfer-Encoding:  chunked") + IN_CHUNKS,
    "a tab before chunked": head("Transfer-Encoding:\tchunked") + IN_CHUNKS,
    "other letters": head("tRANSFER-eNCODING: CHUNKED") + IN_CHUNKS,
    "an extension": chunked(b"%x;a=b\r\n" % len(BODY)),
    "a trailer": chunked(rest=b"\r\n0\r\nX-A: b\r\n\r\n"),
    "a name with an underscore": head(LENGTH, "Transfer_Encoding: chunked") + BODY,
    "a wish for another protocol": head(
        LENGTH, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"
    )
    + BODY,
    "a length that the connection claims": head("Connection: Content-Length", LENGTH)
    + BODY,
}

NOTHING_RUN: dict[str, bytes] = {
    "GET": head(f"Content-Length: {len(HIDDEN)}", line=HEALTH) + HIDDEN,
    "GET in chunks": head(CHUNKED, line=HEALTH)
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    "HEAD": head(f"Content-Length: {len(HIDDEN)}", line="HEAD /health HTTP/1.1")
    + HIDDEN,
    "OPTIONS": head(
        f"Content-Length: {len(HIDDEN)}", line="OPTIONS /api/v1/inference HTTP/1.1"
    )
    + HIDDEN,
    "a wrong path": head(
        f"Content-Length: {len(HIDDEN)}", line="POST /api/v1/inferences HTTP/1.1"
    )
    + HIDDEN,
    "a wrong token": head(f"Content-Length: {len(HIDDEN)}").replace(b"Bearer ", b"")
    + HIDDEN,
}


def statuses_after(server: Reference, sent: bytes) -> list[int]:
    """Of all answers until the server ended the connection."""
    server.ollama.on("/api/chat", ollama_chat())
    with server.connect() as connection:
        connection.sendall(sent)
        received = receive_all(connection)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_ends(
    server: Reference, request_bytes: bytes
) -> None:
    statuses = statuses_after(server, request_bytes + LAST)

    assert len(statuses) == 1
    assert 400 <= statuses[0] < 500 or statuses[0] in NOT_4XX
    assert server.ollama.requests == []


@pytest.mark.parametrize("request_bytes", READ.values(), ids=READ)
def test_what_can_be_read_in_one_way_is_one_request(
    server: Reference, request_bytes: bytes
) -> None:
    statuses = statuses_after(server, request_bytes + LAST)

    assert statuses == [200, 200]
    assert [each.json["messages"] for each in server.ollama.requests] == [
        ASK["messages"]
    ]


@pytest.mark.parametrize("request_bytes", NOTHING_RUN.values(), ids=NOTHING_RUN)
def test_a_request_inside_of_a_body_that_nobody_reads_is_not_run(
    server: Reference, request_bytes: bytes
) -> None:
    statuses = statuses_after(server, request_bytes + LAST)

    assert len(statuses) == 2
    assert statuses[1] == 200
    assert server.ollama.requests == []


WITHOUT_HOST = (head(LENGTH) + BODY).replace(b"Host: localhost\r\n", b"")


def test_a_request_without_a_host_is_refused_with_the_envelope_and_not_run(
    server: Reference,
) -> None:
    with server.connect() as connection:
        connection.sendall(WITHOUT_HOST + LAST)
        received = receive_all(connection)

    first, second = re.split(rb"(?<=})(?=HTTP/1)", received)
    assert first.startswith(b"HTTP/1.1 400 ")
    assert json.loads(first.partition(b"\r\n\r\n")[2])["code"] == "invalid_input"
    assert second.startswith(b"HTTP/1.1 200 ")
    assert server.ollama.requests == []


def test_http_1_0_needs_no_host(server: Reference) -> None:
    without = WITHOUT_HOST.replace(b"HTTP/1.1", b"HTTP/1.0")

    assert statuses_after(server, without) == [200]


def test_without_a_length_a_request_ends_with_its_head(server: Reference) -> None:
    statuses = statuses_after(server, head() + HIDDEN + LAST)

    assert statuses == [400, 200, 200]
    assert len(server.ollama.requests) == 1


def test_nothing_is_read_behind_a_connect(server: Reference) -> None:
    connect = head(line="CONNECT localhost:80 HTTP/1.1")

    statuses = statuses_after(server, connect + HIDDEN)

    assert statuses in ([400], [404])
    assert server.ollama.requests == []


def test_a_size_of_65_bits_is_not_shortened_to_64(server: Reference) -> None:
    with server.connect() as connection:
        connection.sendall(chunked(b"1%016x\r\n" % len(BODY)) + LAST)
        connection.shutdown(socket.SHUT_WR)  # gunicorn waits for all of it
        answer = receive_all(connection)

    assert answer == b"" or answer[8:].startswith(b" 400 ")
    assert server.ollama.requests == []


MANY_BYTES = 64 * 1024 * 1024


@pytest.mark.parametrize(
    "endless",
    [b"5;", b"0\r\nX-A: "],
    ids=["the line of a size", "a trailer"],
)
def test_what_surrounds_chunks_has_to_end_soon(
    server: Reference, endless: bytes
) -> None:
    with server.connect() as connection:
        connection.sendall(head(CHUNKED) + endless)
        sent = 0
        with suppress(ConnectionError):
            while sent < MANY_BYTES and not has_been_answered(connection):
                connection.sendall(b"a" * 8192)
                sent += 8192
            receive_all(connection)

    assert sent < MANY_BYTES
    assert server.ollama.requests == []


def has_been_answered(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable)


# Text that wants to become a header

ORIGIN = "https://app.example.com"

REFLECTED = ["X-Request-Id", "Access-Control-Request-Headers", "Origin"]

WANTS_TO_BE_A_HEADER = [
    "a\rX-Injected: b",
    "a\nX-Injected: b",
    "a\r\n\tX-Injected: b",
    "a\x00X-Injected: b",
    "a\x0bX-Injected: b",
    "a\x85X-Injected: b",
    "a%0d%0aX-Injected: b",
    "a\\r\\nX-Injected: b",
    "a\u560d\u560aX-Injected: b".encode().decode("latin-1"),
]


@pytest.fixture(scope="module", params=["waitress", "gunicorn"])
def open_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    """A server for web pages, whose log is text."""
    env = {"OCTOMIL_CORS_ORIGINS": ORIGIN, "OCTOMIL_LOG_FORMAT": "text"}
    with reference(serve, request.param, **env) as server:
        yield server


def fields_of(answer: bytes) -> list[str]:
    """The lines of its head, as the most lenient of readers would split it."""
    assert answer.startswith(b"HTTP/1.")
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return [line for each in lines for line in re.split(r"[\x00-\x1f\x7f]", each)]


@pytest.mark.parametrize("value", WANTS_TO_BE_A_HEADER)
@pytest.mark.parametrize("name", REFLECTED)
def test_text_in_a_header_becomes_no_header_of_the_answer(
    open_server: Reference, name: str, value: str
) -> None:
    preflight = "OPTIONS /api/v1/inference HTTP/1.1"
    fields = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        name: value,
        "Connection": "close",
    }

    with open_server.connect() as connection:
        lines = [f"{field}: {text}" for field, text in fields.items()]
        connection.sendall(head(*lines, line=preflight))
        answer = receive_all(connection)

    assert not [x for x in fields_of(answer) if x.lower().startswith("x-injected")]


@pytest.mark.parametrize(
    "path", ["%0d%0aX-Injected:%20b", "%0aX-Injected:%20b", "%00", "%e2%80%a8", "%85"]
)
def test_text_in_a_path_becomes_no_header_and_no_line_of_the_log(
    open_server: Reference, path: str
) -> None:
    request_id = f"about-{path[1:3]}"
    line = f"GET /api/v1/{path} HTTP/1.1"

    with open_server.connect() as connection:
        id_field = f"X-Request-Id: {request_id}"
        connection.sendall(head(id_field, "Connection: close", line=line))
        answer = receive_all(connection)

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert not [x for x in fields_of(answer) if x.lower().startswith("x-injected")]
    logged = open_server.process.wait_for_line(f"request_id={request_id}").string
    assert "method=GET" in logged and "status=404" in logged
    assert logged.isprintable() and logged.isascii()
