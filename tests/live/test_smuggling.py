"""Requests hidden in the bodies of others, and text that must not become a header, under waitress and gunicorn."""

import json
import re

import pytest
from processes import serve
from reference import ASK, AUTHORIZED, receive_all, reference

BODY = json.dumps(ASK).encode()
LENGTH = f"Content-Length: {len(BODY)}"

INFER = "POST /api/v1/inference HTTP/1.1"
HEALTH = "GET /api/v1/health HTTP/1.1"


def head(*fields, line=INFER):
    given = ["Host: localhost", f"Authorization: {AUTHORIZED['Authorization']}"]
    lines = [line, *given, "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


HIDDEN = head(LENGTH) + BODY
"""A good request, sent as the body of another one."""

HIDDEN_LENGTH = f"Content-Length: {len(HIDDEN)}"

LAST = head("Connection: close", line=HEALTH)
"""The next request on the connection. It is answered only if the one before it was read exactly to its end."""

NOT_RUN = {
    "GET": head(HIDDEN_LENGTH, line=HEALTH) + HIDDEN,
    "GET in chunks": head("Transfer-Encoding: chunked", line=HEALTH)
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    "HEAD": head(HIDDEN_LENGTH, line="HEAD /health HTTP/1.1") + HIDDEN,
    "OPTIONS": head(HIDDEN_LENGTH, line="OPTIONS /api/v1/inference HTTP/1.1") + HIDDEN,
    "a wrong path": head(HIDDEN_LENGTH, line="POST /api/v1/inferences HTTP/1.1")
    + HIDDEN,
    "a wrong token": head(HIDDEN_LENGTH).replace(b"Bearer ", b"") + HIDDEN,
}


def statuses_after(server, sent):
    """The statuses of all responses until the server closes the connection."""
    with server.connect() as connection:
        connection.sendall(sent)
        received = receive_all(connection)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@pytest.mark.parametrize("request_bytes", NOT_RUN.values(), ids=NOT_RUN)
def test_a_request_inside_an_unread_body_is_not_run(server, request_bytes):
    statuses = statuses_after(server, request_bytes + LAST)

    assert len(statuses) == 2
    assert statuses[1] == 200
    assert server.ollama.requests == []


def test_without_a_length_a_request_ends_with_its_head(server):
    statuses = statuses_after(server, head() + HIDDEN + LAST)

    assert statuses == [400, 200, 200]
    assert len(server.ollama.requests) == 1


FROM_PROXIES = {
    "a path": ["SCRIPT_NAME: /api", "PATH_INFO: /health", "X-Forwarded-Prefix: /api"],
    "two schemes": ["X-Forwarded-Proto: http", "X-Forwarded-Ssl: on"],
}


@pytest.mark.parametrize("fields", FROM_PROXIES.values(), ids=FROM_PROXIES)
def test_headers_of_a_proxy_change_nothing_about_a_request(server, fields):
    sent = head(LENGTH, "Connection: close", *fields) + BODY

    assert statuses_after(server, sent) == [200]
    assert len(server.ollama.requests) == 1


# Text that must not become a header

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
def open_server(request):
    """A server for web pages, whose log is text."""
    env = {"OCTOMIL_CORS_ORIGINS": ORIGIN, "OCTOMIL_LOG_FORMAT": "text"}
    with reference(serve, request.param, **env) as server:
        yield server


def injected(response):
    """The injected lines of the head, split as the most lenient reader would."""
    assert response.startswith(b"HTTP/1.")
    head = response.partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = re.split(r"[\x00-\x08\x0a-\x1f]", head)
    return [line for line in lines if line.lower().startswith("x-injected")]


@pytest.mark.parametrize("value", WANTS_TO_BE_A_HEADER)
@pytest.mark.parametrize("name", REFLECTED)
def test_text_in_a_header_becomes_no_header_of_the_response(open_server, name, value):
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
        response = receive_all(connection)

    assert injected(response) == []


@pytest.mark.parametrize(
    "path", ["%0d%0aX-Injected:%20b", "%0aX-Injected:%20b", "%00", "%e2%80%a8", "%85"]
)
def test_text_in_a_path_becomes_no_header_and_no_line_of_the_log(open_server, path):
    request_id = f"about-{path[1:3]}"
    line = f"GET /api/v1/{path} HTTP/1.1"

    with open_server.connect() as connection:
        id_field = f"X-Request-Id: {request_id}"
        connection.sendall(head(id_field, "Connection: close", line=line))
        response = receive_all(connection)

    assert response.startswith(b"HTTP/1.1 404 ")
    assert injected(response) == []
    logged = open_server.process.wait_for_line(f"request_id={request_id}").string
    assert "method=GET" in logged and "status=404" in logged
    assert logged.isprintable() and logged.isascii()
