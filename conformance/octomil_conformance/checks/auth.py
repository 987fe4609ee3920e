"""Tokens (spec section 2), tried at every claimed endpoint."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from octomil_conformance.api import AS_USUAL, Api, Headers, Raw
from octomil_conformance.exchange import MISSING, Exchange
from octomil_conformance.expect import FALSE, Want, expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import NAME

WRONG = "conf-0000-an-unknown-token"
NONE: Headers = {"Authorization": None}

Change = Callable[[str], str]


SPELLINGS: dict[str, Change] = {
    "parameter": "{};x=1".format,
    "type": "{}.json".format,
    "slash": "{}/".format,
    "query": "{}?x=1".format,
    "health-query": "{}?x=/api/v1/inference/health".format,
    "health-parameter": "{};/health".format,
    "asset-parameter": "{};a.css".format,
    "open-pages": "{}?x=/&path=/docs&next=/openapi.json&url=/metrics".format,
    "slashes": "/{}".format,
    "capitals": str.upper,
}
TARGETS: dict[str, Change] = {
    "encoded": lambda path: f"{path[:-1]}%{ord(path[-1]):02x}",
    "inner-slashes": lambda path: path.replace("/", "//"),
    "dots": "/x/..{}".format,
    "dots-after-health": "/health/..{}".format,
    "health-fragment": "{}#/health".format,
    "dot": "/.{}".format,
    "absolute": "http://a.example{}".format,
}
"""Other ways to write the whole path."""
NO_ANSWER = Want("any status but 2xx", lambda status: status // 100 != 2)


UNKNOWN = [
    ("Authorization", f"Bearer {WRONG}"),
    ("X-API-Key", WRONG),
    ("X-API-Key", f"{WRONG}\xe9"),
]
REJECTED: dict[str, Headers] = {
    "none": NONE,
    "unknown": {"Authorization": f"Bearer {WRONG}"},
    "unknown-key": {**NONE, "X-API-Key": WRONG},
}
"""Headers with which a request gets a 401, each from other code of some servers."""
MORE_THAN_A_TOKEN = {
    "character": ("Authorization", "Bearer ...x"),
    **{sign: ("Authorization", f"Bearer ...{sign}x") for sign in ",;:.-"},
    "equals-sign": ("Authorization", "Bearer ...="),
    "prefix": ("Authorization", "Bearer sk-..."),
    "word": ("Authorization", "Bearer ... more"),
    "word-before": ("Authorization", "Bearer more ..."),
    "letter-before": ("Authorization", "Bearer e..."),
    "letters-before": ("Authorization", "Bearer Bear..."),
    "quotes": ("Authorization", 'Bearer "..."'),
    "single-quotes": ("Authorization", "Bearer '...'"),
    "angles": ("Authorization", "Bearer <...>"),
    "two-values": ("Authorization", f"Bearer {WRONG}, Bearer ..."),
    "two-other-values": ("Authorization", f"Bearer ..., Bearer {WRONG}"),
    "key-character": ("X-API-Key", "...x"),
    "key-letter-before": ("X-API-Key", "e..."),
    "key-quotes": ("X-API-Key", '"..."'),
    "key-word": ("X-API-Key", "... more"),
    "key-scheme": ("X-API-Key", "Bearer ..."),
    "key-values": ("X-API-Key", f"{WRONG}, ..."),
}
"""Headers with the token and other text. The dots stand for the token."""
SCHEMES = [("Authorization", "Bearer "), ("Authorization", "Basic "), ("X-API-Key", "")]
"""The header with an unknown token, and its scheme. The other header has a known one."""
TWICE = {
    "unknown": (WRONG, f"{WRONG}-2", one_of(400, 401)),
    "first-known": ("...", WRONG, one_of(200, 400, 401)),
    "last-known": (WRONG, "...", one_of(200, 400, 401)),
}
"""Tokens in two headers of the same name, and the statuses. Servers differ in which one they read."""


def in_another_case(token: str) -> str:
    """The token in the other case. If it has no letters, its last character becomes one."""
    return token.swapcase() if token.swapcase() != token else f"{token[:-1]}x"


def with_another_end(token: str) -> str:
    return f"{token[:-1]}{'b' if token.endswith('a') else 'a'}"


def with_a_sign(sign: str) -> Change:
    """Replaces the last character by `sign`, which matches any character in a pattern."""
    return lambda token: f"{token[:-1]}{'?' if token.endswith(sign) else sign}"


def with_accents(token: str) -> str:
    """The token with accents on its letters. If none can have one, its last character becomes such a letter."""
    accents = str.maketrans(
        "aeiounAEIOUN", "\xe0\xe8\xec\xf2\xf9\xf1\xc0\xc8\xcc\xd2\xd9\xd1"
    )
    changed = token.translate(accents)
    return changed if changed != token else f"{token[:-1]}\xe0"


NO_TOKEN: dict[str, Headers] = {
    "none": {},
    "empty": {"Authorization": "Bearer "},
    "scheme": {"Authorization": "Bearer"},
    "empty-key": {"X-API-Key": ""},
    "near": {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    "user": {"X-Forwarded-User": "admin", "X-Original-URL": "/api/v1/health"},
    "inside": {
        "X-Middleware-Subrequest": "middleware",
        "User-Agent": "kube-probe/1.34",
        "Cookie": "session=1",
    },
}
"""Headers without an API token. Some servers trust the last three."""
NEARLY: dict[str, Change] = {
    "case": in_another_case,
    "end": with_another_end,
    "accents": with_accents,
    "any": lambda token: "%",
    "encoded": lambda token: f"%{ord(token[0]):02x}{token[1:]}",
    **{sign: with_a_sign(sign) for sign in "_%.*"},
}


def names_bearer(challenges: object) -> bool:
    """True if a WWW-Authenticate has a challenge with this scheme, alone or among others."""
    unquoted = re.sub(r'"(?:\\.|[^"\\])*"', "", str(challenges))
    return bool(re.search(r"(?i)(?:^|,)\s*bearer(?:[\s,]|$)", unquoted))


BEARER = Want("a challenge with the scheme Bearer", names_bearer)


def sent(api: Api, headers: Headers, padding: int = 0) -> Exchange:
    """The answer to a good body with these headers."""
    return api.send(api.good(), headers=headers, padding=padding)


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def api_key(token: str) -> Headers:
    return {**NONE, "X-API-Key": token}


Way = Callable[[str], Headers]
WAYS: dict[str, Way] = {"bearer": bearer, "key": api_key}
"""Where a token is. Some servers compare it with other code in each."""
BOTH_WAYS = {
    f"{name}-{way}": (NEARLY[name], WAYS[way]) for name in NEARLY for way in WAYS
}


@requirement("AUTH-01", NO_TOKEN)
def without_a_token_there_is_a_401(api: Api, headers: Headers) -> None:
    expect(sent(api, {**NONE, **headers}).status, 401)


@requirement("AUTH-01", SPELLINGS)
def no_spelling_of_the_path_opens_without_a_token(api: Api, spelled: Change) -> None:
    path = spelled(api.path)
    answer = api.send(api.good(), "POST", path, NONE)

    expect(answer.status, NO_ANSWER)


@requirement("AUTH-01", TARGETS)
def no_other_target_opens_without_a_token(api: Api, written: Change) -> None:
    api.works()
    target = written(urlsplit(api.target.config.url).path + api.path)
    raw = Raw(api.good(), headers=NONE, target=target)
    [answer] = api.in_a_row(raw)

    expect(answer.status, NO_ANSWER)


@requirement("AUTH-01", ["PUT", "PATCH"])
def no_other_method_opens_without_a_token(api: Api, method: str) -> None:
    body = api.good()
    headers = {**NONE, "Content-Length": str(len(body))}
    answer = api.send(body, method, headers=headers)

    expect(answer.status, NO_ANSWER)


@requirement("AUTH-02", UNKNOWN)
def with_an_unknown_token_there_is_a_401(api: Api, name: str, value: str) -> None:
    expect(sent(api, {**NONE, name: value}).status, 401)


@requirement("AUTH-02", TWICE)
def a_header_sent_twice_needs_a_known_token(
    api: Api, one: str, other: str, statuses: Want
) -> None:
    given = [f"Bearer {each}".replace("...", api.token) for each in (one, other)]
    headers = {"Authorization": given[0], "authorization": given[1]}

    expect(sent(api, headers).status, statuses)


@requirement("AUTH-02")
def an_unknown_token_counts_before_the_body(api: Api) -> None:
    expect(api.send(b"{", headers=bearer(WRONG)).status, 401)


@requirement("AUTH-03")
def a_bearer_token_is_accepted(api: Api) -> None:
    expect(api.ask().status, 200)


@requirement("AUTH-04")
def an_api_key_is_accepted(api: Api) -> None:
    answer = api.ask_raw(api.good(), api_key(api.token))

    expect(answer.status, 200)


@requirement("AUTH-05")
def the_scheme_may_be_written_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bEARER {api.token}"}
    answer = api.ask_raw(api.good(), headers)

    expect(answer.status, 200)


@requirement("AUTH-06", REJECTED)
def a_401_names_the_scheme(api: Api, headers: Headers) -> None:
    answer = sent(api, headers)

    expect(answer.header("WWW-Authenticate") or MISSING, BEARER)


@requirement("AUTH-07", REJECTED)
def a_401_has_an_envelope(api: Api, headers: Headers) -> None:
    answer = sent(api, headers)

    expect(answer.field("error"), NAME, f"{NAME} as `error`")
    expect(answer.field("message"), NAME, f"{NAME} as `message`")
    expect(answer.field("status_code"), 401, "401 as `status_code`")


@requirement("AUTH-08", WAYS)
def part_of_a_token_is_unknown(api: Api, given: Way) -> None:
    expect(sent(api, given(api.token[:-1])).status, 401)


@requirement("AUTH-08", MORE_THAN_A_TOKEN)
def more_than_a_token_is_unknown(api: Api, name: str, value: str) -> None:
    headers = {**NONE, name: value.replace("...", api.token)}

    expect(sent(api, headers).status, 401)


@requirement("AUTH-11", BOTH_WAYS)
def a_token_that_is_nearly_right_is_unknown(
    api: Api, changed: Change, given: Way
) -> None:
    expect(sent(api, given(changed(api.token))).status, 401)


@requirement("AUTH-12", SCHEMES)
def one_known_token_of_two_is_enough(api: Api, name: str, scheme: str) -> None:
    both = {**bearer(api.token), "X-API-Key": api.token}
    answer = api.ask_raw(api.good(), {**both, name: f"{scheme}{WRONG}"})

    expect(answer.status, 200)


@requirement("AUTH-14")
def each_request_on_a_connection_needs_its_own_token(api: Api) -> None:
    headers = (AS_USUAL, NONE, bearer(WRONG))
    answers = api.in_a_row(*(Raw(api.good(), headers=each) for each in headers))

    expect([answer.status for answer in answers], [200, 401, 401])


@requirement("AUTH-13", REJECTED)
def a_401_has_its_code(api: Api, headers: Headers) -> None:
    answer = sent(api, headers)

    expect(answer.field("code"), "authentication_failed")
    expect(answer.field("retryable"), FALSE)


@requirement("AUTH-09")
def a_large_request_gets_a_401_too(api: Api) -> None:
    expect(sent(api, bearer(WRONG), padding=2_000_000).status, 401)
