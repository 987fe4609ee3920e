"""Middleware for every request: errors as envelopes, tokens, Host, request ids, CORS."""

import io
import logging

import falcon
import falcon.testing
import pytest
from builders import app_client, stranger

from octomil_ref.errors import A_BUG, Broken, ClientLeft, Unauthorized
from octomil_ref.keys import KeyRing
from octomil_ref.logs import AccessRecord, write_access_line
from octomil_ref.middleware import AccessLog, Auth, add_error_handlers


class Failing:
    """Raises `failure` after it has begun a stream."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def on_post(self, req, resp):
        resp.content_type = "text/event-stream"
        resp.stream = io.BytesIO(b"left over")
        raise self._failure


def client(failure: Exception, *middleware: object) -> falcon.testing.TestClient:
    app = falcon.App(middleware=[*middleware])
    add_error_handlers(app)
    app.add_route("/", Failing(failure))
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


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "text/html", "application/xml", "image/png;q=x"]
)
def test_an_error_is_json_whatever_the_client_accepts(accept):
    answer = client(Broken("no")).simulate_post("/", headers={"Accept": accept})

    assert answer.json["status_code"] == 502


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


def test_a_failed_stream_is_logged_at_once_with_its_error(caplog):
    caplog.set_level(logging.INFO, "octomil_ref.requests")

    client(Broken("no"), AccessLog(write_access_line)).simulate_post("/")

    (line,) = caplog.records
    assert (line.fields["status"], line.fields["error"]) == (502, "inference_failed")


def test_a_client_that_left_is_logged_as_nginx_does(caplog):
    caplog.set_level(logging.INFO, "octomil_ref.requests")

    answer = client(ClientLeft(), AccessLog(write_access_line)).simulate_post("/")

    (line,) = caplog.records
    assert (line.levelname, line.fields["status"]) == ("INFO", 499)
    assert line.fields["ended"] == "client_left"
    assert answer.content == b""


AUTH = Auth(KeyRing(["ci:first-token", "s\u00e9cond"], ""))

RIGHT = {
    "a Bearer token": {"Authorization": "Bearer first-token"},
    "a scheme in lower case": {"Authorization": "bearer first-token"},
    "a scheme in capitals": {"Authorization": "BEARER first-token"},
    "more spaces": {"Authorization": "Bearer   first-token "},
    "an API key": {"X-API-Key": "first-token"},
    "another of the tokens": {"X-API-Key": "s\u00e9cond".encode().decode("latin-1")},
    "a right key beside a wrong token": {
        "Authorization": "Bearer wrong",
        "X-API-Key": "first-token",
    },
    "a right token beside a wrong key": {
        "Authorization": "Bearer first-token",
        "X-API-Key": "wrong",
    },
    "a right key beside another scheme": {
        "Authorization": "Basic Zmlyc3Q6dG9rZW4=",
        "X-API-Key": "first-token",
    },
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


@pytest.mark.parametrize("path", ["/health", "/api/v1/inference", "/nowhere"])
@pytest.mark.parametrize("host", [None, "x, y"], ids=["none", "two"])
def test_http_1_1_needs_one_host_header(path, host):
    assert status_of(path, "1.1", host) == 400


@pytest.mark.parametrize(
    "version, host", [("1.1", "x"), ("1.1", ""), ("1.0", None)], ids=repr
)
def test_the_host_header_may_be_empty_or_missing_in_http_1_0(version, host):
    assert status_of("/health", version, host) == 200


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
    "origins, allowed",
    [
        (("*",), "*"),
        (("https://page.test",), "https://page.test"),
        (("https://a.test", "*"), "*"),
        ((), None),
        (("https://other.test",), None),
    ],
)
def test_a_web_page_may_call_if_its_origin_is_allowed(origins, allowed):
    client = stranger(cors_origins=origins)

    preflight = client.simulate_options("/api/v1/inference", headers=PREFLIGHT)

    assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
    if allowed:
        assert preflight.status_code == 200
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        headers = preflight.headers["Access-Control-Allow-Headers"].lower()
        assert headers == "authorization, content-type, x-api-key"


@pytest.mark.parametrize(
    "origins, vary",
    [((), None), (("*",), None), (("https://a.test", "https://b.test"), "Origin")],
    ids=["none", "any", "some"],
)
@pytest.mark.parametrize("origin", ["https://a.test", "https://other.test", None])
def test_the_response_varies_by_origin_if_some_origins_are_allowed(
    origin, origins, vary
):
    client = stranger(cors_origins=origins)

    answers = [
        client.simulate_request(
            method, "/api/v1/inference", headers=origin and {"Origin": origin}
        )
        for method in ("POST", "OPTIONS")
    ]

    assert [answer.headers.get("Vary") for answer in answers] == [vary, vary]


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
