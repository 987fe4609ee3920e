"""What all endpoints have in common (spec sections 1.1 to 1.3)."""

import re
from typing import Any

from octomil_conformance import spec
from octomil_conformance.api import REFUSED, Api, Post, json_bytes
from octomil_conformance.exchange import Exchange, field
from octomil_conformance.expect import FALSE, Want, at_least, expect, less_than, one_of
from octomil_conformance.report.redact import redact
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.schemas import schema_complaints
from octomil_conformance.wire.common import BOOLEAN, INTEGER, NAME

TRACE = re.compile(
    r'Traceback \(most recent|File "[^"]+", line \d+|\bat .+:\d+:\d+\b|/[\w./-]+\.(?:py|js|ts|go|rb|java|php)\b'
)

NO_REDIRECT = Want(
    "a response without a redirect", lambda status: status not in range(300, 400)
)
OPTIONS = Want(
    "a 405, or a 200 or 204, that names POST",
    lambda seen: seen[0] in (200, 204, 405) and "POST" in seen[1],
)
ALLOWS_POST = Want("POST in Allow", lambda value: "POST" in (value or ""))

DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE = {
    "nesting": DEEP,
    "digits": b"9" * 5_000,
    "surrogate": b'"\\ud800"',
    "nan": b"NaN",
}

MEBIBYTE = 1 << 20
LARGE = 10 * MEBIBYTE
"""More than many servers read."""
UNREAD = 100_000
"""More than a server reads after it has refused the request."""
UNKNOWN = "conf-1111-an-unknown-token"
SECRET = "q7Zk29vXw3Lm58TrB1Yd6Hs4"
"""An unknown token that no server says by chance, not even a piece of it."""
PIECE = 8
"""Characters of a token that are worth something to whoever finds them."""
QUOTED = {
    "bare": "...",
    "header": "Authorization: Bearer ...",
    "form": "api_key=...",
    "value": '{"model_id": ...}',
    "cut": '{"model_id": "...',
    "name": '{"...": }',
    "behind": '{"model_id": "conf-echo"} ...',
    "text": '"..."',
    "array": '["..."]',
    "wrong-type": '{"model_id": ["..."], "inputs": "...", "input": {"a": "..."}}',
}
"""Bodies at fault with a token instead of the dots. Parsers quote a piece of them."""
UPGRADES = {
    "h2c": {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    },
    "tls": {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"},
}
UNUSUAL = {
    "slashes": "//",
    "three-slashes": "///",
    "doubled-slash": "/api//v1/inference",
    "bracket": "//[",
    "port": "//a:b",
    "percent": "/%",
    "half-a-character": "/%e4%zz",
    "nul": "/%00",
    "dots": "/../../etc/passwd",
    "encoded-dots": "/%2e%2e%2f%2e%2e%2fetc",
    "encoded-slash": "/api%2fv1%2finference",
    "backslash": "/\\\\a:b",
    "question": "/?%&=%zz&[]=1&__proto__=1",
    "prototype": "/__proto__",
    "constructor": "/constructor",
    "long": "/" + "a" * 6000,
    "absolute": "http://a.example/no-such-thing",
    "absolute-alone": "http://a.example",
}
"""Targets of requests, as scanners send them, and proxies."""
NEXT_IS_REFUSED = Want(
    "a status below 500, then a 400 or 422",
    lambda seen: seen[0] < 500 and seen[1] in (400, 422),
)
UNKNOWN_FIELDS: dict[str, Any] = {
    "an_unknown_field": {"deep": [1, 2]},
    "": 0,
    "model": 7,
    "n": "2",
    "user": None,
    "temperature": "hot",
    "__proto__": {"a": 1},
    "constructor": 1,
}
CLASSES = {
    each["status"]: each["error"]
    for each in spec.openapi()["components"]["responses"]["Failure"]["x-failures"]
}
SECONDS = Want("a whole number of seconds", lambda value: (value or "").isdecimal())
IN_A_ROW = 3
"""Equal requests. A server whose patterns remember their place treats the second one differently."""


def seconds_from(least: int) -> Want:
    return Want(
        f"whole seconds, the upstream's {least} or more, at most an hour",
        lambda value: str(value).isdecimal() and least <= int(value) <= 3600,
    )


TIMES = {
    "usual": ("http-429", seconds_from(7)),
    "minutes": ("http-429-later", seconds_from(300)),
}


def everything(answer: Exchange) -> str:
    """Headers and body."""
    return f"{answer.headers} {answer.text}"


def pieces_in(text: str, token: str) -> list[str]:
    """The pieces of the token that the text has."""
    pieces = (token[n : n + PIECE] for n in range(len(token) - PIECE + 1))
    return [each for each in pieces if each in text]


QUOTING = (
    *("http-500", "garbage", "http-400", "http-400-trace", "http-400-path"),
    *("http-422-path", "missing"),
)
"""Failures of an upstream whose words a server may pass on."""
WRONG = {
    "malformed": b'{"model_id": ',
    "no-object": b'["model_id"]',
    "no-model": b'{"input_data": "Hi", "input": "Hi", "inputs": [{"input_data": "Hi"}]}',
}


@requirement("HTTP-01")
def a_refused_request_has_the_status_of_a_failure(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    expect(answer.status, at_least(400))


@requirement("HTTP-02")
def a_post_is_not_redirected(api: Api) -> None:
    answer = next(api.specimens())

    expect(answer.status, NO_REDIRECT)


@requirement("HTTP-05")
def malformed_json_is_refused(api: Api) -> None:
    answer = api.send(b'{"model_id": ')

    expect(answer.status, REFUSED)


@requirement("HTTP-06")
def json_that_is_not_an_object_is_refused(api: Api) -> None:
    answer = api.send(b'["model_id", "messages"]')

    expect(answer.status, REFUSED)


@requirement("HTTP-07", HOSTILE)
def hostile_json_is_no_server_error(api: Api, value: bytes) -> None:
    good = json_bytes(api.body())
    answer = api.ask_raw(good[:-1] + b', "extra": ' + value + b"}")

    expect(answer.status, less_than(500))


@requirement("HTTP-07")
def half_a_surrogate_pair_in_a_text_is_no_server_error(api: Api) -> None:
    answer = api.ask_raw(json_bytes(api.body("a lone \ud800 half")))

    expect(answer.status, less_than(500))


@requirement("HTTP-08")
def unknown_fields_are_ignored(api: Api) -> None:
    answer = api.ask(**UNKNOWN_FIELDS)

    expect(answer.status, 200)


@requirement("HTTP-18")
def the_content_type_is_read_loosely(api: Api) -> None:
    headers = {"Content-Type": "APPLICATION/JSON; charset=UTF-8"}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    expect(answer.status, 200)


@requirement("HTTP-19")
def a_slash_at_the_end_changes_nothing(api: Api) -> None:
    answer = api.ask_raw(json_bytes(api.body()), path=f"{api.path}/")

    expect(answer.status, 200)


@requirement("HTTP-22")
def a_form_is_refused(api: Api) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.send(b"model_id=conf-echo&input_data=Hi&input=Hi", headers=form)

    expect(answer.status, one_of(400, 415, 422))


@requirement("HTTP-23")
def a_chunked_request_is_read(api: Api) -> None:
    body = json_bytes(api.body())
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = api.ask_raw(chunks, {"Transfer-Encoding": "chunked"})

    expect(answer.status, 200)


@requirement("HTTP-26")
def each_request_on_a_connection_gets_its_own_response(api: Api) -> None:
    good = json_bytes(api.body())
    nowhere = f"{api.path}/no-such-thing"
    answers = api.in_a_row(
        Post(b"{"),
        Post(good, nowhere, UNREAD),
        Post(good),
        Post(b"{"),
    )

    expect([answer.status // 100 for answer in answers], [4, 4, 2, 4])


@requirement("HTTP-26", UNUSUAL, serial=True)
def an_unusual_target_does_not_affect_the_next_request(api: Api, target: str) -> None:
    answers = api.in_a_row(Post(b"{", target=target), Post(b"{"))

    expect([answer.status for answer in answers], NEXT_IS_REFUSED)


@requirement("HTTP-27")
def a_query_string_makes_no_difference(api: Api) -> None:
    answer = api.send(b'{"model_id": ', path=f"{api.path}?trace=1&x=%20")

    expect(answer.status, REFUSED)


@requirement("HTTP-28")
def a_body_of_one_mebibyte_is_read(api: Api) -> None:
    body = json_bytes(api.body())
    answer = api.ask_raw(body, padding=MEBIBYTE - len(body))

    expect(answer.status, 200)


@requirement("HTTP-29")
def a_body_that_is_too_large_is_a_failure(api: Api) -> None:
    answer = api.send(b'{"model_id": ', padding=LARGE)

    expect(answer.status, one_of(400, 413, 422))
    expect(field(answer.fields, "status_code"), answer.status, "an envelope")


@requirement("HTTP-30")
def a_body_without_a_type_is_no_server_error(api: Api) -> None:
    answer = api.send(b'{"model_id": ', headers={"Content-Type": None})

    expect(answer.status, one_of(400, 415, 422))


@requirement("HTTP-31")
def a_client_that_asks_before_it_sends_its_body_gets_its_response(api: Api) -> None:
    answer = api.send(b'{"model_id": ', headers={"Expect": "100-continue"})

    expect(answer.status, REFUSED)


@requirement("HTTP-38", UPGRADES)
def an_upgrade_that_is_offered_changes_nothing(
    api: Api, headers: dict[str, str]
) -> None:
    answer = api.send(b'{"model_id": ', headers=headers)

    expect(answer.status, one_of(400, 422, 101))


@requirement("HTTP-14", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def another_method_is_not_allowed(api: Api, method: str) -> None:
    answer = api.send(method=method)

    expect(answer.status, 405)
    expect(answer.header("Allow"), ALLOWS_POST)


@requirement("HTTP-14")
def options_is_answered_or_not_allowed(api: Api) -> None:
    answer = api.send(method="OPTIONS")
    named = f"{answer.header('Allow')} {answer.header('Access-Control-Allow-Methods')}"

    expect((answer.status, named), OPTIONS)


@requirement("HTTP-15", {"below": "{}/no-such-thing", "beside": "{}s", "else": "/no"})
def an_unknown_path_is_not_found(api: Api, path: str) -> None:
    answer = api.send(json_bytes(api.body()), path=path.format(api.path))

    expect(answer.status, 404)
    expect(field(answer.fields, "error"), NAME, "an envelope")


@requirement("HTTP-09", WRONG)
def a_failure_has_an_envelope(api: Api, body: bytes) -> None:
    answer = api.send(body)

    expect(field(answer.fields, "error"), NAME)
    expect(field(answer.fields, "message"), NAME)
    expect(field(answer.fields, "status_code"), answer.status)
    expect(field(answer.fields, "status_code"), INTEGER)


@requirement("HTTP-10", WRONG)
def a_failure_has_a_code_and_says_whether_to_retry(api: Api, body: bytes) -> None:
    answer = api.send(body)

    expect(field(answer.fields, "code"), NAME)
    expect(field(answer.fields, "retryable"), BOOLEAN)


@requirement("HTTP-32", WRONG)
def a_request_at_fault_is_not_to_be_tried_again(api: Api, body: bytes) -> None:
    answer = api.send(body)

    expect(field(answer.fields, "retryable"), FALSE)


@requirement("HTTP-33", {"400": ("POST", ""), "404": ("POST", "/no-such-thing"), "405": ("GET", "")})  # fmt: skip
def a_failure_has_the_class_of_its_status(api: Api, method: str, more: str) -> None:
    answer = api.send(b"", method, api.path + more)

    expect(field(answer.fields, "error"), CLASSES.get(answer.status))
    expect(field(answer.fields, "code"), "invalid_input")


@requirement("HTTP-17")
def a_failure_is_json_whatever_accept_says(api: Api) -> None:
    answer = api.send(b"{", headers={"Accept": "text/event-stream"})

    expect(field(answer.fields, "error"), NAME, "an envelope")
    expect(answer.media_type, "application/json")


@requirement("HTTP-16", WRONG)
def a_failure_shows_no_internals(api: Api, body: bytes) -> None:
    answer = api.send(body)

    expect(TRACE.findall(answer.text), [], "no traceback and no source path")
    expect(redact(answer.text, api.token), answer.text, "no token in the answer")


@requirement(
    "HTTP-37",
    {
        "404": ("POST", "/no-such-thing", 0),
        "405": ("GET", "", 0),
        "413": ("POST", "", LARGE),
        "415": ("POST", "", 0),
    },
)
def no_failure_repeats_the_token(
    api: Api, method: str, more: str, padding: int
) -> None:
    text_type = {"Content-Type": "text/plain"}
    answer = api.send(b"", method, api.path + more, text_type, padding)

    expect(redact(everything(answer), api.token), everything(answer), "no token")


@requirement("HTTP-37")
def an_unknown_token_is_not_repeated(api: Api) -> None:
    answer = api.send(b"{", headers={"Authorization": f"Bearer {UNKNOWN}"})

    expect(UNKNOWN in everything(answer), False, "no token")


@requirement("HTTP-37", QUOTED)
def a_body_at_fault_is_not_quoted(api: Api, body: str) -> None:
    answer = api.send(
        body.replace("...", SECRET).encode(), headers={"X-API-Key": SECRET}
    )

    expect(pieces_in(everything(answer), SECRET), [], "no piece of the token")


@requirement("HTTP-37")
def a_good_answer_does_not_repeat_the_token(api: Api) -> None:
    answer = api.works()

    expect(redact(everything(answer), api.token), everything(answer), "no token")


@requirement("HTTP-36", QUOTING, through=EACH_BACKEND)
def a_failure_of_an_upstream_shows_no_internals(api: Api, scenario: str) -> None:
    answers = [api.ask(scenario=api.failing(scenario)) for _ in range(IN_A_ROW)]
    bodies = " ".join(answer.text for answer in answers)
    whole = " ".join(map(everything, answers))

    expect(TRACE.findall(bodies), [], "no traceback and no source path")
    expect(redact(whole, api.token), whole, "no token")


@requirement("HTTP-35", through=EACH_BACKEND)
def a_date_becomes_seconds(api: Api) -> None:
    answer = api.ask(scenario="http-429-date")

    expect(answer.header("Retry-After"), SECONDS)


@requirement("HTTP-35", TIMES, through=EACH_BACKEND)
def the_time_to_wait_is_the_upstreams_in_seconds(
    api: Api, scenario: str, seconds: Want
) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.header("Retry-After"), seconds)


@requirement("HTTP-11")
def every_answer_has_a_request_id(api: Api) -> None:
    good = api.works()
    bad = api.send(b"{")

    expect(good.header("X-Request-Id"), NAME, "X-Request-Id on a good answer")
    expect(bad.header("X-Request-Id"), NAME, "X-Request-Id on a failure")


@requirement("HTTP-12")
def the_envelope_names_the_request_id(api: Api) -> None:
    answer = api.send(b"{")

    expect(field(answer.fields, "request_id"), answer.header("X-Request-Id"))


@requirement("HTTP-34")
def each_request_has_an_id_of_its_own(api: Api) -> None:
    answers = [api.works(), *api.in_a_row(Post(b"{"), Post(b"{"))]

    expect(len({each.header("X-Request-Id") for each in answers}), 3, "three ids")


@requirement("HTTP-13", {"plain": "conf-", "other": "A.b_9-", "longest": "x" * 64})
def a_request_id_of_the_client_is_kept(api: Api, beginning: str) -> None:
    sent = beginning + api.nonce[: 64 - len(beginning)]
    asked = Post(b"{", headers=(("X-Request-Id", sent),))
    answers = api.in_a_row(*[asked] * IN_A_ROW)

    expect([each.header("X-Request-Id") for each in answers], [sent] * IN_A_ROW)


@requirement("HTTP-25", serial=True)
def every_response_matches_its_schema(api: Api) -> None:
    complaints = [each for seen in api.unblamed() for each in schema_complaints(seen)]

    expect(sorted({*complaints}), [], "responses that match openapi.json")
