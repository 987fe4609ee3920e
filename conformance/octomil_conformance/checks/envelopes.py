"""Failures, what no response may show, and request ids (spec section 1.3)."""

import re

from octomil_conformance import spec
from octomil_conformance.api import LINGERS, Api, Headers, Raw
from octomil_conformance.backend import API_KEY
from octomil_conformance.checks.bodies import LARGE
from octomil_conformance.checks.fault import shown_of
from octomil_conformance.exchange import MISSING, Exchange
from octomil_conformance.expect import FALSE, Want, expect
from octomil_conformance.report.redact import PLAINLY_SECRET, redact
from octomil_conformance.request_parts import json_bytes
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.wire.common import BOOLEAN, INTEGER, NAME

SOURCE = r"\.(?:py|js|ts|go|rb|java|kt|cs|php|rs|swift|exs?)"
TRACE = re.compile(
    rf'Traceback \(most recent|File "[^"]+", line \d+|\bat [^"\n]*[a-z>]:\d+:\d+\b|[/\\][\w./\\-]+{SOURCE}\b|\w{SOURCE}:\d'
)
LINK = re.compile(r"https?://[^\s\"]+")
"""The address of a page, whose name may end like that of a source file."""
TRACED = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "X-B3-TraceId": "463ac35c9f6413ad48485a3953bb6124",
    **dict.fromkeys(("X-Correlation-Id", "Request-Id", "X-Trace-Id"), "conf-7"),
    "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    "CF-Ray": "230b030023ae2822-SJC",
}
"""Headers that several requests of a client, or of a proxy, can share."""
UNKNOWN = "conf-1111-an-unknown-token"
UNKNOWNS: dict[str, Headers] = {
    "bearer": {"Authorization": f"Bearer {UNKNOWN}"},
    "key": {"Authorization": None, "X-API-Key": UNKNOWN},
}
SECRET = "q7Zk29vXw3Lm58TrB1Yd6Hs4"
"""An unknown token. No response contains it, or a piece of it, by chance."""
PIECE = 8
"""A response that has this many consecutive characters of a token shows the token."""
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
    "role": '{"model_id": "m", "messages": [{"role": "...", "content": "Hi"}]}',
    "parameter": '{"model_id": "m", "input_data": "Hi", "parameters": {"seed": "..."}}',
    "parameters": '{"model_id": "m", "input_data": "Hi", "parameters": "..."}',
}
"""Malformed bodies. A token replaces the dots; parsers quote a piece of the body."""
CLASSES = {
    each["status"]: each["error"]
    for each in spec.openapi()["components"]["responses"]["Failure"]["x-failures"]
}
CODES = dict.fromkeys((400, 404, 405), "invalid_input")
QUICK = 12
"""Quick requests on one connection: an id made of the time occurs again."""
IN_A_ROW = 3
"""Equal requests. A server whose patterns remember their place treats the second one differently."""


def seconds_from(least: int, or_none: bool = False) -> Want:
    words = f"whole seconds, the upstream's {least} or more, at most an hour"

    def holds(value: object) -> bool:
        if value is MISSING:
            return or_none
        return str(value).isdecimal() and least <= int(str(value)) <= 3600

    return Want(words + ", or none" * or_none, holds)


TIMES = {
    "usual": ("http-429", seconds_from(7)),
    "minutes": ("http-429-later", seconds_from(300)),
    "fraction": ("http-429-fraction", seconds_from(2)),
    "long-fraction": ("http-429-long-fraction", seconds_from(91)),
    "negative": ("http-429-negative", seconds_from(0)),
    "word": ("http-429-word", seconds_from(0)),
    "past": ("http-429-date", seconds_from(0)),
    "future": ("http-429-future", seconds_from(80)),
    "busy": ("http-503-later", seconds_from(9, or_none=True)),
}
"""The date in the future is 90 seconds away when the upstream answers."""


def internals(text: str) -> list[str]:
    """The tracebacks and source paths in a text."""
    return TRACE.findall(LINK.sub("", text))


def everything(answer: Exchange) -> str:
    """Headers and body."""
    headers = (f"{name}: {value}\n" for name, value in answer.headers)
    return f"{''.join(headers)}\n{answer.text}"


def tokens_in(text: str, token: str) -> list[str]:
    """The places at which the text shows the token, redacted. A token that is so short that it may be a word of the text is not looked for."""
    redacted = redact(text, token) if len(token) >= PLAINLY_SECRET else text
    return re.findall(r".{0,30}\[redacted\]", redacted) if redacted != text else []


def pieces_in(text: str, token: str) -> list[str]:
    """The first piece of the token that is in the text."""
    pieces = (token[n : n + PIECE] for n in range(len(token) - PIECE + 1))
    return [each for each in pieces if each in text][:1]


QUOTING = (
    *("http-500", "garbage", "http-400", "http-400-trace", "http-400-path"),
    *("http-422-path", "missing", "auth", "http-400-page", "cut", "slow"),
)
"""Failures of an upstream whose words a server may pass on."""
ROLE = "k\u00f6nig \u4f60"
MESSAGES = [{"role": ROLE, "content": "Hi"}]
LETTERS = {
    "model_id": "conf-echo",
    "input": {ROLE: 1},
    "inputs": [{"messages": MESSAGES}],
    "messages": MESSAGES,
}
WRONG = {
    "malformed": b'{"model_id": ',
    "no-object": b'["model_id"]',
    "nothing": b"{}",
    "letters": json_bytes(LETTERS),
}


BY_STATUS = {"400": ("POST", ""), "404": ("POST", "/no-such-thing"), "405": ("GET", "")}
"""The method, and what follows the path."""
FAILURES = {
    **{name: ("POST", "", body) for name, body in WRONG.items()},
    **{name: (*BY_STATUS[name], b"") for name in ("404", "405")},
}
"""The method, what follows the path, and the body."""
AT_FAULT = {
    "404": ("POST", "/no-such-thing", 0),
    "405": ("GET", "", 0),
    "trace": ("TRACE", "", 0),
    "413": ("POST", "", LARGE),
    "415": ("POST", "", 0),
}
"""The method, what follows the path, and the padding of the body."""
IN_TARGETS = {
    "404-query": ("POST", "/no-such-thing?api_key=..."),
    "404-path": ("POST", "/.../no-such-thing"),
    "405-query": ("GET", "?access_token=..."),
    "400-query": ("POST", "?token=..."),
}
"""The method, and what follows the path. A token replaces the dots."""
BEGINNINGS = {
    "plain": "conf-",
    "other": "A.b_9-",
    "longest": "x" * 64,
    "digits": "007".ljust(64, "0"),
    "signs": "-._",
}
"""Beginnings of request ids."""


@requirement("HTTP-09", FAILURES)
def a_failure_has_an_envelope(api: Api, method: str, more: str, body: bytes) -> None:
    answer = api.send(body, method, api.path + more)

    expect(answer.field("error"), NAME, f"{NAME} as `error`")
    expect(answer.field("message"), NAME, f"{NAME} as `message`")
    words = f"{answer.status} as `status_code`"
    expect(answer.field("status_code"), answer.status, words)
    expect(answer.field("status_code"), INTEGER, f"{words}, an integer")


@requirement("HTTP-10", FAILURES)
def a_failure_has_a_code_and_says_whether_to_retry(
    api: Api, method: str, more: str, body: bytes
) -> None:
    answer = api.send(body, method, api.path + more)

    expect(answer.field("code"), NAME, f"{NAME} as `code`")
    expect(answer.field("retryable"), BOOLEAN, f"{BOOLEAN} as `retryable`")


@requirement("HTTP-32", FAILURES)
def a_request_at_fault_is_not_to_be_tried_again(
    api: Api, method: str, more: str, body: bytes
) -> None:
    answer = api.send(body, method, api.path + more)

    expect(answer.field("retryable"), FALSE, "false as `retryable`")


@requirement("HTTP-33", BY_STATUS)
def a_failure_has_the_class_of_its_status(api: Api, method: str, more: str) -> None:
    answer = api.send(b"", method, api.path + more)

    expect(answer.field("error"), CLASSES.get(answer.status))
    expect(answer.field("code"), CODES.get(answer.status, NAME))


@requirement("HTTP-17", BY_STATUS)
def a_failure_is_json_whatever_accept_says(api: Api, method: str, more: str) -> None:
    for accept in ("text/html", "application/xml", "text/event-stream"):
        answer = api.send(b"", method, api.path + more, {"Accept": accept})

        expect(answer.field("error"), NAME, "an envelope")
        expect(answer.media_type, "application/json")


@requirement("HTTP-16", WRONG)
def a_failure_shows_no_internals(api: Api, body: bytes) -> None:
    answer = api.send(body)

    expect(internals(answer.text), [], "no traceback and no source path")
    expect(tokens_in(answer.text, api.token), [], "no API token")


@requirement("HTTP-37", AT_FAULT)
def no_failure_repeats_the_token(
    api: Api, method: str, more: str, padding: int
) -> None:
    text_type = {"Content-Type": "text/plain"}
    answer = api.send(b"", method, api.path + more, text_type, padding)

    expect(tokens_in(everything(answer), api.token), [], "no API token")


@requirement("HTTP-37", UNKNOWNS)
def an_unknown_token_is_not_repeated(api: Api, headers: Headers) -> None:
    answer = api.send(b"{", headers=headers)

    expect(shown_of([UNKNOWN], answer), [], "no API token")


@requirement("HTTP-37", QUOTED)
def a_body_at_fault_is_not_quoted(api: Api, body: str) -> None:
    answer = api.send(
        body.replace("...", SECRET).encode(), headers={"X-API-Key": SECRET}
    )

    expect(pieces_in(everything(answer), SECRET), [], "no piece of the API token")


@requirement("HTTP-37", IN_TARGETS)
def a_target_is_not_quoted(api: Api, method: str, more: str) -> None:
    path = api.path + more.replace("...", SECRET)
    answer = api.send(b"{", method, path, {"X-API-Key": SECRET})

    expect(pieces_in(everything(answer), SECRET), [], "no piece of the API token")


@requirement("HTTP-37")
def a_good_answer_does_not_repeat_the_token(api: Api) -> None:
    answer = api.works()

    expect(tokens_in(everything(answer), api.token), [], "no API token")


@requirement("HTTP-36", QUOTING, through=EACH_BACKEND)
def a_failure_of_an_upstream_shows_no_internals(api: Api, scenario: str) -> None:
    answers = [api.ask(scenario=api.failing(scenario)) for _ in range(IN_A_ROW)]
    bodies = " ".join(answer.text for answer in answers)
    whole = " ".join(map(everything, answers))

    expect(internals(bodies), [], "no traceback and no source path")
    expect(tokens_in(whole, api.token), [], "no API token")
    keys = [key for each in answers for key in shown_of([API_KEY], each)]

    expect(keys, [], "no key for an upstream")


@requirement("HTTP-35", TIMES, through=EACH_BACKEND)
def the_time_to_wait_is_the_upstreams_in_seconds(
    api: Api, scenario: str, seconds: Want
) -> None:
    expect(api.ask(scenario=scenario).header("Retry-After") or MISSING, seconds)


@requirement("HTTP-11", BY_STATUS)
def every_answer_has_a_request_id(api: Api, method: str, more: str) -> None:
    good = api.works()
    bad = api.send(b"", method, api.path + more)

    expect(
        good.header("X-Request-Id") or MISSING,
        NAME,
        "an X-Request-Id header in a good answer",
    )
    expect(
        bad.header("X-Request-Id") or MISSING,
        NAME,
        "an X-Request-Id header in a failure",
    )


@requirement("HTTP-11", {"empty": "", "space": " ", "list": "a, b", "long": "x" * 300})
def an_odd_request_id_is_not_an_empty_one(api: Api, given: str) -> None:
    answer = api.send(b"{", headers={"X-Request-Id": given})

    given = (answer.header("X-Request-Id") or "").strip()

    expect(given or MISSING, NAME, "an X-Request-Id header")


@requirement("HTTP-12", BY_STATUS)
def the_envelope_names_the_request_id(api: Api, method: str, more: str) -> None:
    answer = api.send(b"", method, api.path + more)

    expect(answer.field("request_id"), answer.header("X-Request-Id"))


@requirement("HTTP-12")
def requests_at_once_have_their_own_ids(api: Api) -> None:
    calls = [api.hold(b'{"model_id": ') for _ in range(2)]
    calls[-1].wait_for_response(LINGERS)
    for call in calls:
        call.go_on()
    answers = [call.finish() for call in calls]
    named = [answer.field("request_id") for answer in answers]

    expect(named, [answer.header("X-Request-Id") for answer in answers])


@requirement("HTTP-34")
def each_request_has_an_id_of_its_own(api: Api) -> None:
    api.works()
    named = Raw(b"{", headers={"X-Request-Id": api.nonce})
    asked = [named, *[Raw(b"{")] * QUICK, *[Raw(b"{", headers=TRACED)] * 2]
    answers = [*api.specimens(), *api.in_a_row(*asked)]
    ids = {each.header("X-Request-Id") for each in answers}

    expect(len(ids), len(answers), f"{len(answers)} different X-Request-Id headers")


@requirement("HTTP-13", BEGINNINGS)
def a_request_id_of_the_client_is_kept(api: Api, beginning: str) -> None:
    sent = beginning + api.nonce[: 64 - len(beginning)]
    asked = Raw(b"{", headers={"X-Request-Id": sent})
    answers = api.in_a_row(*[asked] * IN_A_ROW)

    named = [each.header("X-Request-Id") or MISSING for each in answers]

    expect(named, [sent] * IN_A_ROW)


@requirement("HTTP-13")
def a_good_answer_keeps_the_request_id_of_the_client(api: Api) -> None:
    answer = api.plain({"X-Request-Id": f"conf-{api.nonce}"})

    expect(answer.header("X-Request-Id") or MISSING, f"conf-{api.nonce}")
