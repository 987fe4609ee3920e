"""What all endpoints have in common (spec sections 1.1 to 1.3)."""

import re

import pytest

from octomil_conformance.api import REFUSED, Api, json_bytes
from octomil_conformance.exchange import field, is_integer
from octomil_conformance.report.redact import redact
from octomil_conformance.requirement import requirement
from octomil_conformance.schemas import answer_complaints
from octomil_conformance.wire.completions import is_name

TRACE = re.compile(
    r'Traceback \(most recent|File "[^"]+", line \d+|\bat .+:\d+:\d+\b|/[\w./-]+\.(?:py|js|ts|go|rb|java|php)\b'
)

DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE = {
    "nesting": DEEP,
    "digits": b"9" * 5_000,
    "surrogate": b'"\\ud800"',
    "nan": b"NaN",
}

WRONG = {
    "malformed": b'{"model_id": ',
    "no-object": b'["model_id"]',
    "no-model": b'{"input_data": "Hi", "input": "Hi", "inputs": [{"input_data": "Hi"}]}',
}
FAILURES = pytest.mark.parametrize("body", list(WRONG.values()), ids=list(WRONG))


@requirement("HTTP-01")
def test_a_refused_request_has_the_status_of_a_failure(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    assert answer.status >= 400


@requirement("HTTP-02")
def test_a_post_is_not_redirected(api: Api) -> None:
    answer = next(api.specimens())

    assert answer.status not in range(300, 400), "an answer, no redirect"


@requirement("HTTP-05")
def test_malformed_json_is_refused(api: Api) -> None:
    answer = api.send(b'{"model_id": ')

    assert answer.status in REFUSED


@requirement("HTTP-06")
def test_json_that_is_no_object_is_refused(api: Api) -> None:
    answer = api.send(b'["model_id", "messages"]')

    assert answer.status in REFUSED


@requirement("HTTP-07")
@pytest.mark.parametrize("value", list(HOSTILE.values()), ids=list(HOSTILE))
def test_json_made_to_hurt_is_no_server_error(api: Api, value: bytes) -> None:
    good = json_bytes(api.body())
    answer = api.ask_raw(good[:-1] + b', "extra": ' + value + b"}")

    assert answer.status < 500


@requirement("HTTP-07")
def test_half_a_surrogate_pair_in_a_text_is_no_server_error(api: Api) -> None:
    answer = api.ask_raw(json_bytes(api.body("a lone \ud800 half")))

    assert answer.status < 500


@requirement("HTTP-08")
def test_an_unknown_field_is_ignored(api: Api) -> None:
    answer = api.ask(a_field_that_nobody_knows={"deep": [1, 2]})

    assert answer.status == 200


@requirement("HTTP-18")
def test_the_content_type_is_read_loosely(api: Api) -> None:
    headers = {"Content-Type": "APPLICATION/JSON; charset=UTF-8"}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    assert answer.status == 200


@requirement("HTTP-19")
def test_a_slash_at_the_end_changes_nothing(api: Api) -> None:
    answer = api.ask_raw(json_bytes(api.body()), path=f"{api.path}/")

    assert answer.status == 200


@requirement("HTTP-22")
def test_a_form_is_refused(api: Api) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.send(b"model_id=conf-echo&input_data=Hi&input=Hi", headers=form)

    assert answer.status in (*REFUSED, 415)


@requirement("HTTP-23")
def test_a_chunked_request_is_read(api: Api) -> None:
    body = json_bytes(api.body())
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = api.ask_raw(chunks, {"Transfer-Encoding": "chunked"})

    assert answer.status == 200


@requirement("HTTP-14")
def test_another_method_is_not_allowed(api: Api) -> None:
    answer = api.send(method="GET")

    assert answer.status == 405
    assert "POST" in (answer.header("Allow") or ""), "POST in Allow"


@requirement("HTTP-15")
def test_an_unknown_path_is_not_found(api: Api) -> None:
    answer = api.send(json_bytes(api.body()), path=f"{api.path}/no-such-thing")

    assert answer.status == 404
    assert is_name(field(answer.fields, "error")), "an envelope"


@requirement("HTTP-09")
@FAILURES
def test_a_failure_has_an_envelope(api: Api, body: bytes) -> None:
    answer = api.send(body)

    assert is_name(field(answer.fields, "error")), "a string that is not empty"
    assert is_name(field(answer.fields, "message")), "a string that is not empty"
    assert field(answer.fields, "status_code") == answer.status
    assert is_integer(field(answer.fields, "status_code")), "an integer"


@requirement("HTTP-10")
@FAILURES
def test_a_failure_has_a_code_and_says_whether_to_retry(api: Api, body: bytes) -> None:
    answer = api.send(body)

    assert is_name(field(answer.fields, "code")), "a string that is not empty"
    assert field(answer.fields, "retryable") in (True, False)


@requirement("HTTP-17")
def test_a_failure_is_json_whatever_accept_says(api: Api) -> None:
    answer = api.send(b"{", headers={"Accept": "text/event-stream"})

    assert is_name(field(answer.fields, "error")), "an envelope"
    assert answer.media_type == "application/json"


@requirement("HTTP-16")
@FAILURES
def test_a_failure_shows_nothing_of_the_inside(api: Api, body: bytes) -> None:
    answer = api.send(body)

    assert TRACE.findall(answer.text) == [], "no traceback and no source path"
    assert redact(answer.text, api.token) == answer.text, "no token in the answer"


@requirement("HTTP-11")
def test_every_answer_has_a_request_id(api: Api) -> None:
    good = api.works()
    bad = api.send(b"{")

    assert good.header("X-Request-Id"), "X-Request-Id on an answer"
    assert bad.header("X-Request-Id"), "X-Request-Id on a failure"


@requirement("HTTP-12")
def test_the_envelope_names_the_request_id(api: Api) -> None:
    answer = api.send(b"{")

    assert field(answer.fields, "request_id") == answer.header("X-Request-Id")


@requirement("HTTP-13")
def test_a_request_id_of_the_client_is_kept(api: Api) -> None:
    answer = api.send(b"{", headers={"X-Request-Id": f"conf-{api.nonce}"})

    assert answer.header("X-Request-Id") == f"conf-{api.nonce}"


@requirement("HTTP-25", serial=True)
def test_every_answer_matches_its_schema(api: Api) -> None:
    answers = api.unblamed()
    wrong = [each for answer in answers for each in answer_complaints(answer)]

    assert wrong == [], "answers as openapi.json has them"
