"""Any exception becomes the one envelope, whatever the client accepts."""

import io
import logging

import falcon
import falcon.testing
import pytest
from builders import app_client

from octomil_ref.errors import A_BUG, Broken, RateLimited, Unauthorized
from octomil_ref.logs import AccessRecord
from octomil_ref.middleware import AccessLog, Auth, RequestId, add_error_handlers


class Failing:
    """Raises what it is given."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def on_post(self, req, resp):
        resp.content_type = "text/event-stream"
        resp.stream = io.BytesIO(b"left over")
        raise self._failure


class Recording:
    """Keeps the record that the request's log line will be made of."""

    def process_request(self, req, resp):
        self.record = req.context.record = AccessRecord("id", req.method, req.path)


def client(failure: Exception, *middleware: object) -> falcon.testing.TestClient:
    app = falcon.App(middleware=[RequestId(), *middleware])
    add_error_handlers(app)
    app.add_route("/", Failing(failure))
    return falcon.testing.TestClient(app)


def test_a_failure_of_the_api_is_told_in_its_envelope():
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


def test_a_failure_brings_its_headers():
    answer = client(RateLimited("no", {"Retry-After": "7"})).simulate_post("/")

    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    "accept", ["text/event-stream", "text/html", "application/xml", "image/png;q=x"]
)
def test_the_envelope_is_json_whatever_the_client_accepts(accept):
    answer = client(Broken("no")).simulate_post("/", headers={"Accept": accept})

    assert answer.json["status_code"] == 502


def test_a_bug_is_an_internal_error_of_which_the_client_learns_nothing():
    answer = client(ZeroDivisionError("at 10.0.0.1")).simulate_post("/")

    assert answer.status_code == 500
    assert answer.json["error"] == "internal_error"
    assert answer.json["message"] == A_BUG
    assert "10.0.0.1" not in answer.text


def test_a_bug_is_logged_with_its_traceback_and_its_request(caplog):
    answer = client(ZeroDivisionError("at 10.0.0.1")).simulate_post("/")

    (line,) = caplog.records
    assert line.exc_info[0] is ZeroDivisionError
    assert line.fields == {"request_id": answer.headers["X-Request-Id"]}


def test_an_unknown_path_is_told_in_the_envelope():
    answer = client(Broken("no")).simulate_get("/nothing")

    assert answer.status_code == 404
    assert (answer.json["error"], answer.json["code"]) == ("not_found", "invalid_input")


def test_a_wrong_method_is_told_which_are_right():
    answer = client(Broken("no")).simulate_put("/")

    assert answer.status_code == 405
    assert answer.json["error"] == "method_not_allowed"
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert "POST" in answer.json["message"]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(
            falcon.HTTPInvalidHeader("It is not a number.", "Content-Length"),
            id="a header that cannot be read",
        ),
        pytest.param(falcon.HTTPBadRequest(), id="a failure without description"),
        pytest.param(falcon.HTTPUnsupportedMediaType(), id="any other"),
    ],
)
def test_what_else_falcon_finds_is_a_bad_request(failure):
    answer = client(failure).simulate_post("/")

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_input"
    assert answer.json["message"].startswith("Validation failed: ")
    assert "None" not in answer.json["message"]


def test_the_body_of_a_refused_request_is_taken_in():
    body = falcon.testing.create_environ(method="POST", path="/", body="x" * 200_000)
    app = client(Broken("no")).app

    app(body, falcon.testing.StartResponseMock())

    assert body["wsgi.input"].read() == b""


def test_a_request_whose_stream_failed_is_logged_at_once(caplog):
    caplog.set_level(logging.INFO, "octomil_ref.requests")

    client(Broken("no"), AccessLog()).simulate_post("/")

    (line,) = caplog.records
    assert line.fields["status"] == 502


def test_the_requests_record_learns_the_code():
    recording = Recording()

    client(Broken("no"), recording).simulate_post("/")

    assert recording.record.error == "inference_failed"


def test_a_request_that_failed_before_it_had_an_id_gets_an_answer():
    app = falcon.App()
    add_error_handlers(app)
    app.add_route("/", Failing(Broken("no")))

    answer = falcon.testing.TestClient(app).simulate_post("/")

    assert answer.status_code == 502
    assert answer.json["request_id"] == answer.headers["x-request-id"]


# Who may call: those with a token, by either of two headers; and anyone where a resource is public.


AUTH = Auth(["first-token", "s\u00e9cond"])

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
    "a scheme alone": {"Authorization": "Bearer"},
    "an empty token": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": "Basic first-token"},
    "a token without a scheme": {"Authorization": "first-token"},
    "an empty key": {"X-API-Key": ""},
    "a key with a scheme": {"X-API-Key": "Bearer first-token"},
    "bytes that are no UTF-8": {"X-API-Key": "\xff"},
}


class Private:
    """A resource that says nothing of who may call."""


class Public:
    public = True


def ask(auth: Auth, headers: dict[str, str], resource: object, **given: str) -> None:
    req = falcon.testing.create_req(headers=headers, **given)
    auth.process_resource(req, falcon.Response(), resource, {})


@pytest.mark.parametrize("headers", RIGHT.values(), ids=RIGHT)
def test_a_request_is_let_in_with(headers):
    ask(AUTH, headers, Private())


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_request_is_turned_away_with(headers):
    with pytest.raises(Unauthorized) as caught:
        ask(AUTH, headers, Private())

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'" in caught.value.message


@pytest.mark.parametrize("headers", [*WRONG.values()], ids=WRONG)
def test_nobody_is_let_in_where_there_are_no_tokens(headers):
    with pytest.raises(Unauthorized):
        ask(Auth([]), headers, Private())


def test_a_public_resource_needs_no_token():
    ask(AUTH, {}, Public())


def test_a_preflight_needs_no_token():
    ask(AUTH, {}, Private(), method="OPTIONS")


# A request of HTTP/1.1 without a host is refused, to whatever path it goes; others are not asked for one.


PATHS = ["/health", "/api/v1/inference", "/nowhere"]


def answered(path: str, http_version: str, host: str | None) -> tuple[int, bytes]:
    """The status, and the body."""
    client = app_client()
    environ = falcon.testing.create_environ(path, http_version=http_version)
    environ.pop("HTTP_HOST", None)
    if host is not None:
        environ["HTTP_HOST"] = host
    started = falcon.testing.StartResponseMock()
    body = b"".join(client.app(environ, started))
    return int(started.status.split()[0]), body


@pytest.mark.parametrize("path", PATHS)
def test_a_request_without_a_host_is_refused_with_the_envelope(path):
    status, body = answered(path, "1.1", None)

    assert status == 400
    assert b'"code":"invalid_input"' in body
    assert b'"message":"A request of HTTP/1.1 must have a Host header."' in body


@pytest.mark.parametrize(
    ("version", "host"), [("1.1", "x"), ("1.1", ""), ("1.0", None)]
)
def test_a_host_may_be_empty_and_under_http_1_0_be_missing(version, host):
    status, _ = answered("/health", version, host)

    assert status == 200


# Each request has an id: the client's own where it is short and plain, else a new one.


def answered_id(given: str | None) -> str:
    headers = {} if given is None else {"X-Request-Id": given}
    return app_client().simulate_get("/health", headers=headers).headers["x-request-id"]


@pytest.mark.parametrize("given", ["7", "trace-1:a/b", "!~", "x" * 128])
def test_an_id_that_is_short_and_plain_is_kept(given):
    assert answered_id(given) == given


@pytest.mark.parametrize(
    "given",
    [None, "", "x" * 129, "a b", "a\tb", "a\nb", "a\x7fb", "caf\xe9"],
    ids=["none", "empty", "long", "space", "tab", "newline", "control", "not ASCII"],
)
def test_else_the_server_makes_one(given):
    request_id = answered_id(given)

    assert len(request_id) == 32 and request_id.isalnum()


def test_each_request_gets_an_id_of_its_own():
    assert answered_id(None) != answered_id(None)


def test_an_error_carries_the_id_in_its_body_too():
    answer = app_client().simulate_get("/nowhere", headers={"X-Request-Id": "mine"})

    assert answer.headers["x-request-id"] == "mine"
    assert answer.json["request_id"] == "mine"
