"""Requests to one upstream, through the proxy of the environment or without, and its answers."""

import threading
from types import SimpleNamespace

import pytest
import responses
from builders import (
    END_OF_CHUNKS,
    arriving,
    chunk,
    chunked,
    connections,
    keeping,
    new_record,
    plain,
    scripted,
    upstream,
)
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import raw, stall

from octomil_ref.backends import http, reading
from octomil_ref.backends.wire import TimedSocket
from octomil_ref.errors import Broken, NotReached
from octomil_ref.records import asking_for

URL = "http://upstream.test/v1"


def test_a_payload_is_posted_as_compact_json_with_the_headers_of_its_upstream():
    responses.post(f"{URL}/chat", body=b"{}")

    upstream(URL, Authorization="Bearer k").post("/chat", {"text": "é", "n": 1}).close()

    sent = responses.calls[0].request
    assert sent.body == b'{"text":"\\u00e9","n":1}'
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Content-Length"] == "23"
    assert sent.headers["Authorization"] == "Bearer k"
    assert sent.headers["Accept-Encoding"] == "identity"


def test_the_id_of_a_request_is_sent_only_while_it_is_asked_for():
    responses.get(f"{URL}/models", body=b"{}")

    with asking_for(new_record()):
        upstream(URL).get("/models", 1).close()
    upstream(URL).get("/models", 1).close()

    first, second = (call.request.headers for call in responses.calls)
    assert first["X-Request-Id"] == "id-1"
    assert "X-Request-Id" not in second


def test_nothing_is_taken_from_netrc(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine upstream.test login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    responses.get(f"{URL}/models", body=b"{}")

    upstream(URL).get("/models", 1).close()

    assert "Authorization" not in responses.calls[0].request.headers


def test_a_redirect_is_not_followed():
    responses.get(f"{URL}/models", status=307, headers={"Location": f"{URL}/other"})

    answer = upstream(URL).get("/models", 1)

    assert answer.status == 307
    assert len(responses.calls) == 1
    answer.close()


@pytest.mark.parametrize("timeout, connect", [(30, 3), (2, 2)])
def test_connecting_gets_the_smaller_of_the_timeout_and_three_seconds(
    timeout, connect, clock
):
    responses.get(f"{URL}/models", body=b"{}")

    upstream(URL).get("/models", timeout).close()

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == (connect, timeout)


@pytest.fixture
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def sending_options(url: str) -> dict[str, object]:
    """The arguments of the adapter's `send`."""
    responses.get(f"{url}/models", body=b"{}")
    upstream(url).get("/models", 1).close()
    options: dict[str, object] = responses.calls[-1].request.req_kwargs
    return options


def test_a_request_goes_through_the_proxy_of_the_environment(monkeypatch, no_proxy):
    sent, real_send = [], TimedSocket.send

    def send(self, data, deadline):
        sent.append(data)
        real_send(self, data, deadline)

    monkeypatch.setattr(TimedSocket, "send", send)
    with scripted(keeping(plain(b"{}"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        responses.add_passthru("http://upstream.test:81")
        to = upstream("http://upstream.test:81/v1")

        to.get("/models", 20).close()

    assert len(proxy.requests) == 1
    line = b"GET http://upstream.test:81/v1/models HTTP/1.1\r\n"
    assert sent[0].startswith(line + b"Host: upstream.test:81\r\n")


@pytest.mark.parametrize(
    ("said", "detail"),
    [("busy", "through a proxy: busy"), ("", "through a proxy")],
    ids=["a reason", "none"],
)
def test_a_failure_says_that_it_came_through_a_proxy(
    said, detail, monkeypatch, no_proxy
):
    with scripted(keeping(plain(b"{}"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        responses.add_passthru(URL)
        answer = upstream(URL).get("/models", 20)
        failure = answer.broken("failed")
        failure.detail = said

        answer.redacted(failure)
        answer.close()

    assert failure.detail == detail


def test_a_whole_answer_that_is_cut_is_logged_with_its_status_and_the_proxy(
    monkeypatch, no_proxy
):
    with scripted(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        responses.add_passthru(URL)
        answer = upstream(URL).get("/models", 20)
        with pytest.raises(Broken) as caught, reading.whole_answer(answer):
            pass

    failure = caught.value
    assert failure.upstream_status == 200
    assert failure.detail == "through a proxy: IncompleteRead"


REFUSES = raw(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")


@pytest.mark.parametrize(
    "script, why",
    [(REFUSES, "the proxy answered 407"), (stall, "no connection in time")],
    ids=["refuses", "is silent"],
)
def test_behind_a_proxy_that_does_not_connect_nothing_is_reached(
    script, why, monkeypatch, no_proxy
):
    with scripted(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        responses.add_passthru("https://upstream.test")
        to = upstream("https://upstream.test", timeout=0.5)

        with pytest.raises(NotReached) as caught:
            to.post("/", {})

    assert caught.value.detail == why


PROXY = {"HTTP_PROXY": "http://proxy.test:1"}
NOT_PROXIED = {
    "without variables": (URL, {}),
    "an exception": (URL, PROXY | {"NO_PROXY": "upstream.test"}),
    **{
        host: (f"http://{host}:1", PROXY)
        for host in ("127.0.0.1", "127.1.2.3", "[::1]", "localhost")
    },
}


@pytest.mark.parametrize("url, environ", NOT_PROXIED.values(), ids=NOT_PROXIED)
def test_no_proxy_is_asked_for(url, environ, monkeypatch, no_proxy):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert not sending_options(url)["proxies"]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_of_the_environment_are_trusted(
    variable, monkeypatch, no_proxy, tmp_path
):
    assert sending_options("https://upstream.test")["verify"] is True
    bundle, second_choice = tmp_path / "ca.pem", tmp_path / "second.pem"
    bundle.touch()
    second_choice.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(second_choice))
    monkeypatch.setenv(variable, str(bundle))

    assert sending_options("https://upstream.test")["verify"] == str(bundle)


LINES = [
    pytest.param([b"a\nb\n"], [[b"a", b"b"]], id="two in one piece come together"),
    pytest.param([b"a", b"b\n"], [[b"ab"]], id="one in two pieces"),
    pytest.param([b"a\nb", b"c\n"], [[b"a"], [b"bc"]], id="one and a half in a piece"),
    pytest.param([b"a\nb"], [[b"a"], [b"b"]], id="an unfinished last one counts"),
    pytest.param([b"a\r", b"\nb\n"], [[b"a\r", b"b"]], id="CR and LF in two pieces"),
    pytest.param([b"a\n\nb\n"], [[b"a", b"", b"b"]], id="a blank one between"),
    pytest.param([b"\xc3", b"\xa9\n"], [[b"\xc3\xa9"]], id="half of a character"),
    pytest.param(["a\u2028b\n".encode()], [["a\u2028b".encode()]], id="U+2028 is none"),
    pytest.param([], [], id="none in an empty body"),
]


@pytest.mark.parametrize("pieces, expected", LINES)
def test_lines_come_as_they_arrive(pieces, expected):
    responses.get(f"{URL}/", body=arriving(*pieces))

    answer = upstream(URL).get("/", 1)

    assert list(iter(answer.next_lines, [])) == expected


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [chunked(b"one\n"), chunk(b"two\n") + END_OF_CHUNKS], id="in chunks"
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\n\r\none\n", b"two\n"], id="until the connection ends"
        ),
    ],
)
def test_a_line_leaves_before_more_comes(pieces):
    read = threading.Event()

    with scripted(raw(*pieces, gate=read)) as server:
        answer = upstream(server.url).get("/", 20)

        first = answer.next_lines()
        read.set()

        assert (first, list(iter(answer.next_lines, []))) == ([b"one"], [[b"two"]])


def test_a_line_that_is_too_long_is_broken_off(monkeypatch):
    monkeypatch.setattr(http, "MAX_LINE", 10)
    body = arriving(b"12345", b"67890", b"\n", b"1234567890", b"1")
    responses.get(f"{URL}/", body=body)
    answer = upstream(URL).get("/", 1)

    assert answer.next_lines() == [b"1234567890"]
    with pytest.raises(Broken, match="line that is too long"):
        answer.next_lines()


@pytest.mark.parametrize(
    "date, seconds",
    [
        ("Sat, 28 Nov 2026 12:01:00 GMT", "60"),
        ("Sat, 28 Nov 2026 11:00:00 GMT", "1"),
        ("28 Nov 99999 11:00:00 GMT", None),
        ("2 days", "2 days"),
    ],
    ids=["to come", "past", "too far", "none"],
)
def test_a_date_after_which_to_retry_becomes_seconds(date, seconds, monkeypatch):
    noon = SimpleNamespace(time=lambda: 1795867200.0)  # 28 November 2026, 12:00 UTC
    monkeypatch.setattr("octomil_ref.backends.http.time", noon)
    responses.get(f"{URL}/models", status=503, headers={"Retry-After": date})

    assert upstream(URL).get("/models", 1).retry_after() == seconds


def test_a_body_that_is_too_long_is_broken_off(monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY", 4)
    responses.get(f"{URL}/", body=arriving(b"12", b"34"))
    assert upstream(URL).get("/", 1).body() == b"1234"
    responses.get(f"{URL}/", body=arriving(b"123", b"45"))

    with pytest.raises(Broken, match="answer that is too long"):
        upstream(URL).get("/", 1).body()


@pytest.mark.parametrize(
    "last, end, seconds, used",
    [
        pytest.param(END_OF_CHUNKS, Response.complete, 20, [1, 1], id="that ends"),
        pytest.param(b"", stall, 0.01, [1, 2], id="that never ends"),
    ],
)
def test_draining_gives_back_the_connection_of_an_answer(
    last, end, seconds, used, monkeypatch
):
    monkeypatch.setattr(http, "DRAIN_TIMEOUT", seconds)
    read = threading.Event()
    first = raw(chunked(b"line\n"), last, gate=read, end=end)
    with scripted(first, raw(plain(b"{}"))) as server:
        to = upstream(server.url)
        answer = to.get("/", 20)
        answer.next_lines()
        read.set()

        answer.drain()
        answer.close()
        to.get("/", 20).close()

    assert connections(server) == used
