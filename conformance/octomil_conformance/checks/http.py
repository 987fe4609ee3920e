"""What all endpoints have in common: methods, paths, bodies, connections (spec sections 1.1 and 1.2). Failures are in envelopes.py."""

from urllib.parse import urlencode

from octomil_conformance.api import REFUSED, Api, Headers, Raw
from octomil_conformance.checks.bodies import CHUNKED, UNREAD, in_chunks
from octomil_conformance.checks.validation import without_model
from octomil_conformance.exchange import MISSING
from octomil_conformance.expect import Want, at_least, expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import NAME

NO_REDIRECT = Want(
    "a response without a redirect", lambda status: status not in range(300, 400)
)
OPTIONS = Want(
    "a 200, 204 or 405 that names POST in Allow or Access-Control-Allow-Methods",
    lambda seen: seen[0] in (200, 204, 405) and "POST" in seen[1],
)
ALLOWS_POST = Want("POST in Allow", lambda value: "POST" in str(value))

UPGRADES = {
    "h2c": {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA",
    },
    "tls": {"Connection": "Upgrade", "Upgrade": "TLS/1.2, HTTP/1.1"},
}
ODD_HEADERS: dict[str, Headers] = {
    "stream": {"Accept": "text/event-stream", "User-Agent": "python-httpx/0.28.1"},
    "json": {"Accept": "application/json", "User-Agent": None},
    "page": {
        "Accept": "text/html",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0",
        "Accept-Language": "de",
        "Accept-Charset": "iso-8859-1",
        "Cookie": "session=1",
        "Referer": "https://a.example/",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
    },
    "conditions": {
        "User-Agent": "a-bot/1.0 (crawler)",
        "If-None-Match": "*",
        "If-Modified-Since": "Sat, 03 Jan 2026 03:04:05 GMT",
        "If-Match": '"1"',
        "Range": "bytes=0-3",
        "Prefer": "respond-async",
    },
    "proxy": {
        "User-Agent": "node",
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
OWN_RESPONSES = Want(
    "4xx for malformed JSON, 4xx for an unknown path, 2xx, and 4xx for malformed JSON",
    lambda statuses: [status // 100 for status in statuses] == [4, 4, 2, 4],
)
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
NOWHERE = {
    "below": ("POST", "{}/no-such-thing"),
    "beside": ("POST", "{}s"),
    "else": ("POST", "/no"),
    "page": ("GET", "/no"),
}
"""The method, and the path. The braces stand for that of the endpoint. Some servers send a web page instead."""
ODD_REQUESTS = (
    Raw(b"{", headers={"Authorization": "Bearer conf-3333-an-unknown-token"}),
    Raw(b"{", headers={"Content-Type": "text/plain"}),
    Raw(b"{", headers={"Expect": "100-continue"}),
    Raw(in_chunks(b'{"model_id": '), headers=CHUNKED),
    Raw(b"{}", headers={"Content-Length": "2"}, method="PUT"),
    Raw(b"", method="HEAD"),
)
"""After these, some servers take what they have not read for the next request, or the other way round."""
QUERY = "trace=1&x=%20&_method=GET&method=GET&callback=f&jsonp=f&format=xml&alt=sse&stream=true&pretty"
"""Names that frameworks give a meaning."""


@requirement("HTTP-01")
def a_refused_request_has_the_status_of_a_failure(api: Api) -> None:
    expect(api.refused(without=("model_id",)).status, at_least(400))


@requirement("HTTP-02")
def a_post_is_not_redirected(api: Api) -> None:
    expect(next(api.specimens()).status, NO_REDIRECT)


@requirement("HTTP-19", {"alone": "/", "before-a-query": "/?trace=1"})
def a_slash_at_the_end_changes_nothing(api: Api, more: str) -> None:
    expect(api.ask_raw(api.good(), path=api.path + more).status, 200)


@requirement("HTTP-26")
def each_request_on_a_connection_gets_its_own_response(api: Api) -> None:
    good = api.good()
    api.hold(good, held=5).hang_up()
    api.hold(in_chunks(good), held=9, headers=CHUNKED).hang_up()
    nowhere = f"{api.path}/no-such-thing"
    answers = api.in_a_row(Raw(b"{"), Raw(good, nowhere, UNREAD), Raw(good), Raw(b"{"))

    expect([answer.status for answer in answers], OWN_RESPONSES)


@requirement("HTTP-26")
def no_request_affects_the_next_one_on_its_connection(api: Api) -> None:
    asked = [each for odd in ODD_REQUESTS for each in (odd, Raw(b"{"))]
    answers = api.in_a_row(*asked)
    statuses = {answer.status for answer in answers[1::2]}

    expect(statuses - {400, 422}, set(), "a 400 or 422 for each malformed body")


@requirement("HTTP-26", UNUSUAL, serial=True)
def an_unusual_target_does_not_affect_the_next_request(api: Api, target: str) -> None:
    answers = api.in_a_row(Raw(b"{", target=target), Raw(b"{"))

    expect(
        [answer.status for answer in answers],
        NEXT_IS_REFUSED,
        f"a status below 500 for the target {target[:30]}, then a 400 or 422",
    )


@requirement("HTTP-27")
def a_query_string_makes_no_difference(api: Api) -> None:
    answer = api.send(b'{"model_id": ', path=f"{api.path}?{QUERY}")

    expect(answer.status, REFUSED)
    expect(answer.field("status_code"), answer.status, "the envelope as JSON")


@requirement("HTTP-27")
def a_query_string_changes_no_field(api: Api) -> None:
    names = ("model_id", "messages", "input_data", "inputs", "input", "parameters")
    query = urlencode(dict.fromkeys(names, "no-such-thing"))
    answer = api.ask_raw(api.good(), path=f"{api.path}?{query}")

    expect(answer.status, 200)


@requirement("HTTP-27")
def a_query_string_adds_no_field(api: Api) -> None:
    query = urlencode({"model_id": api.body()["model_id"]})
    body = api.good(**without_model(api))
    answer = api.send(body, path=f"{api.path}?{query}")

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
    expect(answer.header("Allow") or MISSING, ALLOWS_POST)


@requirement("HTTP-14", ["PROPFIND", "PURGE"])
def a_method_that_few_servers_know_is_refused(api: Api, method: str) -> None:
    body = api.good()
    answer = api.send(body, method, headers={"Content-Length": str(len(body))})

    expect(answer.status, one_of(400, 405, 501))


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


@requirement("HTTP-39")
def a_response_is_compressed_only_if_the_client_asks(api: Api) -> None:
    answer = api.plain({"Accept-Encoding": "gzip;q=0"})
    coding = answer.header("Content-Encoding") or MISSING

    expect(coding, one_of(MISSING, "identity"))


@requirement("HTTP-39")
def a_response_that_the_client_has_is_sent_again(api: Api) -> None:
    seen = api.works()
    names = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
    answer = api.plain({asked: seen.header(given) for asked, given in names.items()})

    expect(answer.status, seen.status)


@requirement("HTTP-14")
def options_is_answered_or_not_allowed(api: Api) -> None:
    answer = api.send(method="OPTIONS")
    names = (answer.header("Allow"), answer.header("Access-Control-Allow-Methods"))
    named = " ".join(filter(None, names))

    expect((answer.status, named), OPTIONS)


@requirement("HTTP-15", NOWHERE)
def an_unknown_path_is_not_found(api: Api, method: str, path: str) -> None:
    headers = {"Accept": "text/html"}
    answer = api.send(b"", method, path.format(api.path), headers)

    expect(answer.status, 404)
    expect(answer.field("error"), NAME, "an envelope")
