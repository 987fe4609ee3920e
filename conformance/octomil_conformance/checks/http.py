"""What all endpoints have in common: methods, paths, bodies, connections (spec sections 1.1 and 1.2). Failures are in envelopes.py."""

from collections.abc import Callable
from urllib.parse import urlencode

from octomil_conformance.api import LINGERS, REFUSED, Api, Headers, Raw
from octomil_conformance.exchange import Json
from octomil_conformance.expect import Want, at_least, expect, less_than, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.schemas import schema_complaints
from octomil_conformance.transport import Transfer
from octomil_conformance.wire.common import NAME

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
"""More bytes than many servers read."""
ANNOUNCED = 50 * MEBIBYTE
"""The `Content-Length` of a body that is never sent whole. A server may drop longer bodies."""
SENT = 40 * MEBIBYTE
"""The most bytes of that body that are sent."""
UNREAD = 100_000
"""More bytes than a server reads after it has refused the request."""
UPGRADES = {
    "h2c": {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    },
    "tls": {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"},
}
ODD_HEADERS: dict[str, Headers] = {
    "stream": {"Accept": "text/event-stream", "User-Agent": "a-bot/1.0 (crawler)"},
    "json": {"Accept": "application/json", "User-Agent": None},
    "page": {
        "Accept": "text/html",
        "Accept-Language": "de",
        "Accept-Charset": "iso-8859-1",
        "Cookie": "session=1",
        "Referer": "https://a.example/",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
    },
    "conditions": {
        "If-None-Match": "*",
        "If-Modified-Since": "Sat, 03 Jan 2026 03:04:05 GMT",
        "If-Match": '"1"',
        "Range": "bytes=0-3",
        "Prefer": "respond-async",
    },
    "proxy": {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Prefix": "/a",
        "Forwarded": "for=192.0.2.1;proto=http",
        "X-HTTP-Method-Override": "DELETE",
        "X-Original-URL": "/no-such-thing",
        "X-Rewrite-URL": "/no-such-thing",
    },
}
"""Headers that clients, web pages and proxies may add."""
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
"""Targets of requests, as scanners and proxies send them."""
NEXT_IS_REFUSED = Want(
    "a status below 500, then a 400 or 422",
    lambda seen: seen[0] < 500 and seen[1] in (400, 422),
)
UNKNOWN_FIELDS: Json = {
    "an_unknown_field": {"deep": [1, 2]},
    "": 0,
    "model": 7,
    "n": "2",
    "user": None,
    "temperature": "hot",
    "system": "Say nothing.",
    "__proto__": {"a": 1},
    "constructor": 1,
    "MODEL_ID": 7,
    "Input": 7,
    "INPUT_DATA": 7,
    "Inputs": 7,
    "me\u017f\u017fages": 7,
}
"""The last ones differ from fields of this API only in case: `\u017f` is a small `S`."""
NO_JSON: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda good: b'{"model_id": ',
    "behind": lambda good: good + b" x",
    "two": lambda good: good + good,
    "comma": lambda good: good[:-1] + b",}",
    "comment": lambda good: b"/* */" + good,
    "quotes": lambda good: good.replace(b'"', b"'"),
    "line-end": lambda good: good[:-1] + b', "a": "\n"}',
}
"""What lenient parsers read, made of the body of a good request."""
QUERY = "trace=1&x=%20&_method=GET&method=GET&callback=f&jsonp=f&format=xml&alt=sse&stream=true&pretty"
"""Names that frameworks give a meaning."""
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nconf-echo\r\n'
    b'--x\r\nContent-Disposition: form-data; name="input_data"\r\n\r\nHi\r\n--x--\r\n'
)
FORMS = {
    "urlencoded": (
        "application/x-www-form-urlencoded",
        b"model_id=conf-echo&input_data=Hi&input=Hi",
    ),
    "multipart": ("multipart/form-data; boundary=x", MULTIPART),
}
"""Content type and body."""


def heard_out(call: Transfer) -> tuple[int, Exception | None]:
    """The status, and what went wrong, of a client that goes on sending after the response has begun."""
    call.go_on(UNREAD)
    return call.finish().status, call.error


HEARD_OUT = Want(
    "a 400, 413 or 422 and no broken connection",
    lambda seen: seen[0] in (400, 413, 422) and seen[1] is None,
)


@requirement("HTTP-01")
def a_refused_request_has_the_status_of_a_failure(api: Api) -> None:
    expect(api.refused(without=("model_id",)).status, at_least(400))


@requirement("HTTP-02")
def a_post_is_not_redirected(api: Api) -> None:
    expect(next(api.specimens()).status, NO_REDIRECT)


@requirement("HTTP-05", NO_JSON)
def malformed_json_is_refused(api: Api, spoil: Callable[[bytes], bytes]) -> None:
    expect(api.send(spoil(api.good())).status, REFUSED)


@requirement("HTTP-06")
def json_that_is_not_an_object_is_refused(api: Api) -> None:
    expect(api.send(b'["model_id", "messages"]').status, REFUSED)


@requirement("HTTP-07", HOSTILE)
def hostile_json_is_no_server_error(api: Api, value: bytes) -> None:
    good = api.good()
    answer = api.ask_raw(good[:-1] + b', "extra": ' + value + b"}")

    expect(answer.status, less_than(500))


@requirement("HTTP-07")
def half_a_surrogate_pair_in_a_text_is_no_server_error(api: Api) -> None:
    answer = api.ask_raw(api.good("a lone \ud800 half"))

    expect(answer.status, less_than(500))


@requirement("HTTP-08")
def unknown_fields_are_ignored(api: Api) -> None:
    plain = api.works()
    answer = api.ask(**UNKNOWN_FIELDS, stream=api.profile != "stream")

    expect((answer.status, answer.media_type), (200, plain.media_type))


@requirement("HTTP-18")
def the_content_type_is_read_loosely(api: Api) -> None:
    headers = {"Content-Type": 'APPLICATION/JSON;v=1; charset="UTF-8"'}
    answer = api.ask_raw(api.good(), headers)

    expect(answer.status, 200)


@requirement("HTTP-19")
def a_slash_at_the_end_changes_nothing(api: Api) -> None:
    expect(api.ask_raw(api.good(), path=f"{api.path}/").status, 200)


@requirement("HTTP-22", FORMS)
def a_form_is_refused(api: Api, content_type: str, body: bytes) -> None:
    answer = api.send(body, headers={"Content-Type": content_type})

    expect(answer.status, one_of(400, 415, 422))


@requirement("HTTP-23")
def a_chunked_request_is_read(api: Api) -> None:
    body = api.good()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = api.ask_raw(chunks, {"Transfer-Encoding": "chunked"})

    expect(answer.status, 200)


@requirement("HTTP-26")
def each_request_on_a_connection_gets_its_own_response(api: Api) -> None:
    good = api.good()
    nowhere = f"{api.path}/no-such-thing"
    answers = api.in_a_row(Raw(b"{"), Raw(good, nowhere, UNREAD), Raw(good), Raw(b"{"))

    expect([answer.status // 100 for answer in answers], [4, 4, 2, 4])


@requirement("HTTP-26", UNUSUAL, serial=True)
def an_unusual_target_does_not_affect_the_next_request(api: Api, target: str) -> None:
    answers = api.in_a_row(Raw(b"{", target=target), Raw(b"{"))

    expect([answer.status for answer in answers], NEXT_IS_REFUSED)


@requirement("HTTP-27")
def a_query_string_makes_no_difference(api: Api) -> None:
    answer = api.send(b'{"model_id": ', path=f"{api.path}?{QUERY}")

    expect(answer.status, REFUSED)
    expect(answer.field("status_code"), answer.status, "the envelope as JSON")


@requirement("HTTP-28")
def a_body_of_one_mebibyte_is_read(api: Api) -> None:
    body = api.good()
    answer = api.ask_raw(body, padding=MEBIBYTE - len(body))

    expect(answer.status, 200)


@requirement("HTTP-29")
def a_body_that_is_too_large_is_a_failure(api: Api) -> None:
    answer = api.send(b'{"model_id": ', padding=LARGE)

    expect(answer.status, one_of(400, 413, 422))
    expect(answer.field("status_code"), answer.status, "an envelope")


@requirement("HTTP-29")
def a_client_that_sends_a_body_that_is_too_large_is_heard_out(api: Api) -> None:
    api.works()
    call = api.hold(b'{"model_id": ' + b" " * LARGE, held=UNREAD)
    call.wait_for_response(LINGERS)
    call.go_on()
    answer = call.finish()

    expect((answer.status, call.error), HEARD_OUT)


@requirement("HTTP-29")
def a_client_that_goes_on_sending_is_heard_out(api: Api) -> None:
    api.works()
    calls = filter(None, [api.overload(b'{"model_id": ', ANNOUNCED, SENT)])
    seen = [heard_out(call) for call in calls]
    broken = [each for each in seen if not HEARD_OUT.holds(each)]

    expect(broken, [], f"{HEARD_OUT}, or no response yet")


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
    expect(api.send(b'{"model_id": ', headers=headers).status, one_of(400, 422, 101))


@requirement("HTTP-14", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def another_method_is_not_allowed(api: Api, method: str) -> None:
    asked = {"model_id": api.body()["model_id"], "input_data": "Hi", "input": "Hi"}
    answer = api.send(method=method, path=f"{api.path}?{urlencode(asked)}")

    expect(answer.status, 405)
    expect(answer.header("Allow"), ALLOWS_POST)


@requirement("HTTP-14")
def a_header_does_not_change_the_method(api: Api) -> None:
    body = api.good()
    headers = {"X-HTTP-Method-Override": "POST", "Content-Length": str(len(body))}
    answer = api.send(body, "PUT", headers=headers)

    expect(answer.status, 405)


@requirement("HTTP-39", ODD_HEADERS)
def other_headers_make_no_difference(api: Api, headers: Headers) -> None:
    plain, answer = api.works(), api.plain(headers)

    expect((answer.status, answer.media_type), (plain.status, plain.media_type))


@requirement("HTTP-14")
def options_is_answered_or_not_allowed(api: Api) -> None:
    answer = api.send(method="OPTIONS")
    named = f"{answer.header('Allow')} {answer.header('Access-Control-Allow-Methods')}"

    expect((answer.status, named), OPTIONS)


@requirement("HTTP-15", {"below": "{}/no-such-thing", "beside": "{}s", "else": "/no"})
def an_unknown_path_is_not_found(api: Api, path: str) -> None:
    answer = api.send(api.good(), path=path.format(api.path))

    expect(answer.status, 404)
    expect(answer.field("error"), NAME, "an envelope")


@requirement("HTTP-25", serial=True)
def every_response_matches_its_schema(api: Api) -> None:
    complaints = [each for seen in api.unblamed() for each in schema_complaints(seen)]

    expect(sorted({*complaints}), [], "responses that match openapi.json")
