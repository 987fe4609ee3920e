"""Middleware for every request: errors as envelopes, tokens, Host, request ids, CORS."""

import io
import logging
from unittest.mock import MagicMock

import falcon
import falcon.testing
import pytest
from builders import app_client, open_body, stranger

from octomil_ref.errors import A_BUG, Broken, ClientLeft, Unauthorized
from octomil_ref.keys import KeyRing
from octomil_ref.logs import AccessRecord, write_access_line
from octomil_ref.middleware import AccessLog, Auth, add_error_handlers


class Resource:
    """Begins a stream, then raises `failure` if there is one."""

    def __init__(self, failure: Exception | None, stream: object) -> None:
        self._failure = failure
        self._stream = stream

    def on_post(self, req, resp):
        resp.content_type = "text/event-stream"
        resp.stream = self._stream
        if self._failure:
            raise self._failure


def client(
    failure: Exception | None, *middleware: object, stream: object = None
) -> falcon.testing.TestClient:
    app = falcon.App(middleware=[*middleware])
    add_error_handlers(app)
    app.add_route("/", Resource(failure, stream or io.BytesIO(b"left over")))
    return falcon.testing.TestClient(app)


def test_an_error_is_rendered_as_its_envelope():
    answer = client(Broken("The upstream broke.")).simulate_post("/")

    assert answer.status_code == 502
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "error": "bad_gateway",
        "message": "The upstream broke.",
        "status_code": 502,
        "code": "inference_failed",
        "retryable": True,
        "request_id": answer.headers["X-Request-Id"],
    }


def test_a_bug_is_logged_with_its_traceback_and_the_client_learns_nothing(caplog):
    answer = client(ZeroDivisionError("at 10.0.0.1")).simulate_post("/")

    assert answer.status_code == 500
    assert (answer.json["error"], answer.json["message"]) == ("internal_error", A_BUG)
    assert "10.0.0.1" not in answer.text
    (line,) = caplog.records
    assert line.exc_info[0] is ZeroDivisionError
    assert line.fields == {"request_id": answer.headers["X-Request-Id"]}


@pytest.mark.parametrize(
    "failure",
    [
        falcon.HTTPInvalidHeader("It is not a number.", "Content-Length"),
        falcon.HTTPBadRequest(),
        falcon.HTTPUnsupportedMediaType(),
    ],
)
def test_other_errors_of_falcon_are_bad_requests(failure):
    answer = client(failure).simulate_post("/")

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_input"
    assert answer.json["message"].startswith("Validation failed: ")
    assert "None" not in answer.json["message"]


def test_the_body_of_a_refused_request_is_read():
    body = falcon.testing.create_environ(method="POST", path="/", body="x" * 200_000)
    app = client(Broken("no")).app

    app(body, falcon.testing.StartResponseMock())

    assert body["wsgi.input"].read() == b""


LOGGING = AccessLog(write_access_line)


@pytest.fixture
def log(caplog) -> pytest.LogCaptureFixture:
    """The log, with the lines about requests."""
    caplog.set_level(logging.INFO, "octomil_ref.requests")
    return caplog


def test_a_failed_stream_is_logged_at_once_with_its_error(log):
    client(Broken("no"), LOGGING).simulate_post("/")

    [line] = log.records
    assert (line.fields["status"], line.fields["error"]) == (502, "inference_failed")


def test_a_client_that_left_is_logged_as_nginx_does(log):
    answer = client(ClientLeft(), LOGGING).simulate_post("/")

    [line] = log.records
    assert (line.levelname, line.fields["status"]) == ("INFO", 499)
    assert line.fields["ended"] == "client_left"
    assert answer.content == b""


def test_above_level_info_requests_are_not_logged(caplog):
    client(None, LOGGING).simulate_post("/")

    assert caplog.messages == []


def test_a_line_contains_no_query_body_or_token(log):
    headers = {"Authorization": "Bearer secret"}

    sent = {"headers": headers, "query_string": "prompt=secret", "body": "secret"}
    client(None, LOGGING).simulate_post("/", **sent)

    [line] = log.records
    assert "secret" not in str(vars(line))


def test_a_stream_has_its_line_when_it_ends(log, clock):
    body = open_body(client(None, LOGGING, stream=io.BytesIO(b"one\ntwo\n")), "/", {})

    streamed = list(body)
    clock.advance(2.0001234)
    before_close = list(log.records)
    body.close()

    assert streamed == [b"one\n", b"two\n"]
    assert before_close == []
    assert [line.fields["duration_ms"] for line in log.records] == [2000.123]


def test_a_stream_that_the_client_leaves_has_its_line_even_if_its_close_fails(log):
    source = MagicMock()
    source.close.side_effect = OSError("gone")

    with pytest.raises(OSError, match="gone"):
        open_body(client(None, LOGGING, stream=source), "/", {}).close()

    assert len(log.records) == 1


def test_a_request_that_falcon_refuses_before_the_middleware_has_its_line(log):
    environ = falcon.testing.create_environ("/", method="WEBSOCKET")
    started = falcon.testing.StartResponseMock()

    client(None, LOGGING).app(environ, started)

    assert started.status == "400 Bad Request"
    assert len(log.records) == 1


AUTH = Auth(KeyRing(["ci:first-token", "s\u00e9cond"], ""))

KEY = {"X-API-Key": "first-token"}
BEARER = {"Authorization": "Bearer first-token"}
RIGHT = {
    "a Bearer token": BEARER,
    "a scheme in lower case": {"Authorization": "bearer first-token"},
    "a scheme in capitals": {"Authorization": "BEARER first-token"},
    "more spaces": {"Authorization": "Bearer   first-token "},
    "an API key": KEY,
    "another of the tokens": {"X-API-Key": "s\u00e9cond".encode().decode("latin-1")},
    "a right key beside a wrong token": {"Authorization": "Bearer wrong"} | KEY,
    "a right token beside a wrong key": BEARER | {"X-API-Key": "wrong"},
    "a right key beside another scheme": {"Authorization": "Basic Zmlyc3Q="} | KEY,
}

WRONG = {
    "nothing": {},
    "another token": {"Authorization": "Bearer other-token"},
    "the beginning of a token": {"Authorization": "Bearer first"},
    "more than a token": {"Authorization": "Bearer first-token-and-more"},
    "a token in another case": {"Authorization": "Bearer FIRST-TOKEN"},
    "a tab": {"Authorization": "Bearer\tfirst-token"},
    "a tab after a space": {"Authorization": "Bearer \tfirst-token"},
    "a scheme alone": {"Authorization": "Bearer"},
    "an empty token": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": "Basic first-token"},
    "a token without a scheme": {"Authorization": "first-token"},
    "an empty key": {"X-API-Key": ""},
    "a key with a scheme": {"X-API-Key": "Bearer first-token"},
    "bytes that are not UTF-8": {"X-API-Key": "\xff"},
}


def ask(auth: Auth, headers: dict[str, str]) -> str | None:
    """The name of the key with which a request is authorized."""
    req = falcon.testing.create_req(headers=headers)
    req.context.record = AccessRecord("id", req.method, req.path)
    auth.process_resource(req, falcon.Response(), object(), {})
    return req.context.record.key


@pytest.mark.parametrize("headers", RIGHT.values(), ids=RIGHT)
def test_a_request_is_authorized_with(headers):
    assert ask(AUTH, headers)


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_request_is_unauthorized_with(headers):
    with pytest.raises(Unauthorized) as caught:
        ask(AUTH, headers)

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'" in caught.value.message


def test_without_tokens_no_request_is_authorized():
    with pytest.raises(Unauthorized):
        ask(Auth(KeyRing([], "")), WRONG["an empty key"])


def status_of(path: str, http_version: str, host: str | None) -> int:
    environ = falcon.testing.create_environ(path, http_version=http_version)
    environ.pop("HTTP_HOST", None)
    if host is not None:
        environ["HTTP_HOST"] = host
    started = falcon.testing.StartResponseMock()
    app_client().app(environ, started)
    return int(started.status.split()[0])


@pytest.mark.parametrize(
    "version, host, status",
    [
        *(("1.1", "x", 404), ("1.1", "", 404), ("1.0", None, 404)),
        *(("1.1", None, 400), ("1.1", "x, y", 400)),
    ],
    ids=repr,
)
def test_http_1_1_needs_one_host_header_which_may_be_empty(version, host, status):
    assert status_of("/nowhere", version, host) == status


def id_for(given: str | None) -> str:
    headers = {} if given is None else {"X-Request-Id": given}
    answer = app_client().simulate_get("/nowhere", headers=headers)
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    return answer.headers["x-request-id"]


@pytest.mark.parametrize("given", ["7", "trace-1:a/b", "!~", "x" * 128])
def test_a_short_and_plain_id_of_the_client_is_kept(given):
    assert id_for(given) == given


@pytest.mark.parametrize(
    "given",
    [None, "", "x" * 129, "a b", "a\tb", "a\nb", "a\x01b", "a\x7fb", "caf\xe9"],
    ids=ascii,
)
def test_any_other_id_is_replaced(given):
    first, second = id_for(given), id_for(given)

    assert len(first) == 32 and first.isalnum() and first != second


PREFLIGHT = {
    "Origin": "https://page.test",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, x-api-key",
}


@pytest.mark.parametrize(
    "origins, allowed, vary",
    [
        (("*",), "*", None),
        (("https://page.test",), "https://page.test", "Origin"),
        (("https://a.test", "*"), "*", None),
        ((), None, None),
        (("https://other.test",), None, "Origin"),
    ],
)
def test_a_web_page_may_call_if_its_origin_is_allowed(origins, allowed, vary):
    client = stranger(cors_origins=origins)

    preflight = client.simulate_options("/api/v1/inference", headers=PREFLIGHT)
    of_no_page = client.simulate_post("/api/v1/inference")

    assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
    assert preflight.headers.get("Vary") == of_no_page.headers.get("Vary") == vary
    if allowed:
        assert preflight.status_code == 200
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        headers = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert headers == "authorization, content-type, x-api-key"


def test_a_web_page_may_read_an_error_and_its_request_id():
    client = stranger(cors_origins=("*",))

    answer = client.simulate_post("/api/v1/inference", headers={"Origin": "https://a"})

    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == ["X-Request-Id", "Retry-After"]


# The headers that identify a request to other systems

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

TRACES = {
    "no trace": ({}, {}),
    "a trace": ({"traceparent": PARENT}, {"traceparent": PARENT}),
    "a trace with state": (
        {"traceparent": PARENT, "tracestate": "a=1,b=2"},
        {"traceparent": PARENT, "tracestate": "a=1,b=2"},
    ),
    "state without a trace": ({"tracestate": "a=1"}, {}),
    "a malformed trace": ({"traceparent": "00-x"}, {}),
    "malformed state": (
        {"traceparent": PARENT, "tracestate": "\xe9"},
        {"traceparent": PARENT},
    ),
}


@pytest.mark.parametrize("given, passed_on", TRACES.values(), ids=TRACES)
def test_the_id_and_the_trace_of_a_request_go_to_the_upstream(given, passed_on):
    req = falcon.testing.create_req(headers={"X-Request-Id": "id-1", **given})

    AccessLog(write_access_line).process_request(req, falcon.Response())

    record: AccessRecord = req.context.record
    assert record.passed_on == {"X-Request-Id": "id-1", **passed_on}
