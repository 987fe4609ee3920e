"""The meaning of an upstream's error, by its status and its message (spec sections 9 and 10)."""

import pytest
from builders import encoded

from octomil_ref.backends.refusals import error_in_answer, error_of_response
from octomil_ref.errors import (
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModelNotFound,
    NoSuchPath,
    RateLimited,
    RequestRefused,
    TimedOut,
)

OPTION = {"error": 'option "seed" must be of type integer'}
TOO_LONG = {"error": {"message": "no", "type": "exceed_context_size_error"}}

STATUSES = {
    KeyRefused: [401, 402, 403],
    NoSuchPath: [302],
    TimedOut: [408],
    RateLimited: [429],
    Busy: [503],
    Broken: [204, 409, 418, 500, 599],
    RequestRefused: [400, 422],
}
"""What an error without a message means. `servers/errors.yaml` has more."""

MEANINGS = [
    *((status, {}, meaning) for meaning in STATUSES for status in STATUSES[meaning]),
    (404, {"error": "no"}, ModelNotFound),
    (429, TOO_LONG, RateLimited),
    (422, TOO_LONG, ContextTooLong),
]


@pytest.mark.parametrize("status, body, meaning", MEANINGS)
def test_an_error_response_means(status, body, meaning):
    failure = error_of_response("openai", status, encoded(body))

    assert type(failure) is meaning


@pytest.mark.parametrize(
    "status, body, falls_back",
    [(400, TOO_LONG, False), (500, TOO_LONG, True), (500, OPTION, False)],
    ids=["the request is too long", "a 5xx whatever it says", "a wrong option"],
)
def test_the_next_backend_is_asked_after(status, body, falls_back):
    failure = error_of_response("openai", status, encoded(body))

    assert failure.falls_back is falls_back


@pytest.mark.parametrize(
    "error, meaning",
    [
        pytest.param({"code": 429}, RateLimited, id="a number"),
        pytest.param({"code": "503"}, Busy, id="text"),
        pytest.param({"code": "no_such_thing", "status": 403}, KeyRefused, id="later"),
        pytest.param({"code": 200}, Broken, id="a status of success"),
        pytest.param({"code": 999}, Broken, id="a number out of range"),
        pytest.param({"code": True}, Broken, id="a boolean"),
        pytest.param({}, Broken, id="none"),
        pytest.param("no", Broken, id="none in text"),
    ],
)
def test_an_error_inside_an_answer_has_a_status_by(error, meaning):
    failure = error_in_answer("openai", {"error": error})

    assert type(failure) is meaning
    if meaning is Broken:
        assert failure.message == "The openai backend failed while it answered."


SHAPES = [
    pytest.param(b" \n why\nand more lines", id="the first line of many"),
    pytest.param(b'{"error": "why\\u2028because"}', id="the first line, by U+2028"),
    pytest.param(b'"why"', id="a JSON string"),
    pytest.param(b'"why\\ud83c"', id="text with half a character, which is no UTF-8"),
    pytest.param(b'{"error": null, "message": "why"}', id="the first that has one"),
    pytest.param(b'{"error": {"title": "why"}}', id="a title"),
    pytest.param(b'{"detail": "{why}"}', id="what looks like JSON and is not"),
]


@pytest.mark.parametrize("body", SHAPES)
def test_the_reason_is_read_from(body):
    failure = error_of_response("openai", 400, body)

    reason = failure.message.removeprefix("The openai backend refused the request: ")
    assert failure.detail.encode()
    assert reason.strip("{?}") == "why"


NO_REASON = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"  \n ", id="white space"),
    pytest.param(b"{}", id="an empty object"),
    pytest.param(b'{"error": {}}', id="an empty error"),
    pytest.param(b'{"error": null}', id="a null"),
    pytest.param(b'{"error": 7}', id="a number"),
    pytest.param(b'{"detail": [{"loc": ["body"]}]}', id="a list of details"),
    pytest.param(b"[1]", id="an array"),
    pytest.param(b'{"error": "<!DOCTYPE html><p>why"}', id="a web page in JSON"),
    pytest.param(b'{"error":' * 20 + b'"why"' + b"}" * 20, id="a deep place"),
]


@pytest.mark.parametrize("body", NO_REASON)
def test_no_reason_is_read_from(body):
    failure = error_of_response("openai", 422, body)

    assert failure.message.endswith(": it gave no reason")


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 429, 500, 503])
def test_the_client_does_not_get_the_message_of_other_errors(status):
    failure = error_of_response(
        "openai", status, b'{"error": "key sk-123 at 10.0.0.1"}'
    )

    assert "sk-123" not in failure.message


RETRY_AFTER = [
    pytest.param("17", "17", id="its own"),
    pytest.param("0", "0", id="0"),
    pytest.param("0017", "17", id="its own, without leading zeros"),
    pytest.param("86400", "86400", id="a day"),
    pytest.param("86401", "86400", id="a day if it is longer"),
    pytest.param("9" * 5000, "86400", id="a day if it has 5,000 digits"),
    pytest.param(None, "1", id="1 if it is missing"),
    pytest.param("", "1", id="1 if it is empty"),
    pytest.param("1.5", "2", id="a fraction, rounded up"),
    pytest.param("-3", "1", id="1 for a negative number"),
    pytest.param("\u0663", "1", id="1 for a digit that is not ASCII"),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("given, sent", RETRY_AFTER)
def test_a_busy_upstreams_retry_after_is(status, given, sent):
    failure = error_of_response("openai", status, b"", given)

    assert failure.headers == {"Retry-After": sent}


@pytest.mark.parametrize(
    "given, body, sent",
    [
        (None, b'{"error": {"details": [{"retryDelay": "39s"}]}}', "39"),
        (None, b'{"error": {"message": "Please try again in 7.66s."}}', "8"),
        (None, b'{"error": {"message": "Please try again in 1h7m12.5s."}}', "4033"),
        (None, b'{"error": {"message": "Please try again in 120ms."}}', "1"),
        (None, b'{"error": {"message": "Try again in 60 seconds."}}', "60"),
        (None, b'{"error": {"message": "Please retry after 7 seconds."}}', "7"),
        (None, b'{"message": "Please wait 12 seconds before retrying."}', "12"),
        ("5", b'{"error": {"details": [{"retryDelay": "39s"}]}}', "5"),
    ],
    ids=[
        *("Gemini", "Groq", "Groq, of a day", "OpenAI, in milliseconds", "LiteLLM"),
        *("Azure", "GitHub", "a Retry-After, which counts"),
    ],
)
def test_a_wait_in_the_body_is_the_retry_after(given, body, sent):
    failure = error_of_response("openai", 429, body, given)

    assert failure.headers == {"Retry-After": sent}


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (500, b'{"error": "out of memory"}', "out of memory"),
        (500, b"", "it gave no reason"),
        (503, b"<html><body><h1>503 Service Unavailable</h1>", "it sent a web page"),
        (
            405,
            b"<html>",
            "The ollama backend does not know the path: check its base URL.",
        ),
    ],
)
def test_the_log_learns_what_the_upstream_said(status, body, detail):
    assert error_of_response("ollama", status, body).detail == detail
