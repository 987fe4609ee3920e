"""Any exception becomes the one envelope, whatever the client accepts."""

import io
import logging

import falcon
import falcon.testing
import pytest

from octomil_ref.errors import A_BUG, Broken, RateLimited
from octomil_ref.failures import handle_failures
from octomil_ref.request_id import RequestId
from octomil_ref.request_log import Record, RequestLog


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
        self.record = req.context.record = Record("id", req.method, req.path)


def client(failure: Exception, *middleware: object) -> falcon.testing.TestClient:
    app = falcon.App(middleware=[RequestId(), *middleware])
    handle_failures(app)
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

    client(Broken("no"), RequestLog()).simulate_post("/")

    (line,) = caplog.records
    assert line.fields["status"] == 502


def test_the_requests_record_learns_the_code():
    recording = Recording()

    client(Broken("no"), recording).simulate_post("/")

    assert recording.record.error == "inference_failed"


def test_a_request_that_failed_before_it_had_an_id_gets_an_answer():
    app = falcon.App()
    handle_failures(app)
    app.add_route("/", Failing(Broken("no")))

    answer = falcon.testing.TestClient(app).simulate_post("/")

    assert answer.status_code == 502
    assert answer.json["request_id"] == answer.headers["x-request-id"]
