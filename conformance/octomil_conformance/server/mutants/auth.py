"""Servers that accept the wrong tokens, or refuse the right ones."""

import re
import unicodedata
from urllib.parse import unquote

from octomil_conformance.server.layers import Request, Response, Server
from octomil_conformance.server.subjects import (
    GONE,
    accepts,
    all_but,
    failures,
    headers,
    layer,
    requests,
    statuses,
)


def given(request: Request) -> str:
    header = request.headers.get("authorization", "").removeprefix("Bearer ")
    return header or request.headers.get("x-api-key", "")


@accepts("embed@0 auth@1", "AUTH-01", "AUTH-06", "AUTH-07", "AUTH-13")
def nobody_needs_a_token(request: Request) -> bool:
    """A request without a token is accepted."""
    return not request.headers.keys() & {"authorization", "x-api-key"}


@accepts("infer@0 auth@1", "AUTH-01")
def an_empty_token_will_do(request: Request) -> bool:
    """An empty token is accepted."""
    return request.headers.get("authorization", "").strip() == "Bearer"


@accepts("stream@0 auth@1", "AUTH-02", "AUTH-08", "AUTH-09", "AUTH-11")
def any_token_will_do(request: Request) -> bool:
    """Any token is accepted."""
    return given(request).startswith("conf-")


@accepts("embed@0 auth@1", "AUTH-02")
def any_api_key_will_do(request: Request) -> bool:
    """The value of X-API-Key is not checked."""
    return "x-api-key" in request.headers


@accepts("embed@0 auth@1", "AUTH-08")
def beginning_of_a_token_will_do(request: Request) -> bool:
    """The beginning of a token is accepted."""
    return given(request) != "" and request.token.startswith(given(request))


@accepts("embed@0 auth@1", "AUTH-08")
def more_than_a_token_will_do(request: Request) -> bool:
    """A token with more characters after it is accepted."""
    return given(request).startswith(request.token)


statuses(
    *("embed@0 auth@1", "AUTH-03", "AUTH-04", "AUTH-05", "AUTH-12", "EMBED-01"),
    welcome_is_accepted=202,
)


@requests("embed@0 auth@1", "AUTH-04", "AUTH-12")
def api_keys_are_ignored(request: Request) -> None:
    """X-API-Key is ignored; only Authorization counts."""
    request.headers.pop("x-api-key", None)


@requests("embed@0 auth@1", "AUTH-05")
def scheme_must_be_written_so(request: Request) -> None:
    """Only the scheme `Bearer` is known."""
    if not request.headers.get("authorization", "").startswith("Bearer"):
        request.headers.pop("authorization", None)


@requests("embed@0 auth@1", "AUTH-05")
def scheme_has_two_forms(request: Request) -> None:
    """Only the schemes `Bearer` and `bearer` are known."""
    if not request.headers.get("authorization", "").startswith(("Bearer", "bearer")):
        request.headers.pop("authorization", None)


headers.sets(
    *("embed@0 auth@1", "AUTH-06"),
    scheme_is_not_named=("www-authenticate", GONE, "A 401 has no WWW-Authenticate."),
    scheme_is_another=(
        "www-authenticate",
        'Basic realm="x"',
        "A 401 names the scheme Basic.",
    ),
    shows="status-401",
)
failures.sets(
    *("embed@0 auth@1", "AUTH-07", "HTTP-25"),
    refusal_has_no_error=("error", GONE),
    refusal_has_no_message=("message", GONE),
    shows="status-401",
)
failures.sets(
    *("embed@0 auth@1", "AUTH-07"),
    refusal_has_another_status_code=("status_code", 403),
    shows="status-401",
)
failures.sets(
    *("embed@0 auth@1", "AUTH-13"),
    refusal_has_another_code=("code", "invalid_input"),
    refusal_is_retryable=("retryable", True),
    shows="status-401",
)


@accepts("embed@0 auth@1", "AUTH-01")
def a_slash_opens(request: Request) -> bool:
    """A path with a slash at its end needs no token."""
    return request.path.endswith("/")


@accepts("embed@0 auth@1", "AUTH-01")
def a_query_string_opens(request: Request) -> bool:
    """A path with a query string needs no token."""
    return request.query != ""


@accepts("embed@0 auth@1", "AUTH-01")
def capitals_open(request: Request) -> bool:
    """Paths may be written in capitals, and such a path needs no token."""
    path, request.path = request.path, request.path.lower()
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def two_slashes_open(request: Request) -> bool:
    """Slashes may be doubled, and such a path needs no token."""
    path, request.path = request.path, request.path.replace("//", "/")
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def encoded_paths_open(request: Request) -> bool:
    """Characters of a path may be encoded, and such a path needs no token."""
    path, request.path = request.path, unquote(request.path)
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def parameters_of_a_path_open(request: Request) -> bool:
    """What is behind a semicolon in a path is ignored, and such a path needs no token."""
    path, request.path = request.path, re.sub(";[^/]*", "", request.path)
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def dots_open(request: Request) -> bool:
    """`..` in a path leads up, and such a path needs no token."""
    path, request.path = request.path, re.sub(r"/[^/]+/\.\.(?=/)", "", request.path)
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def types_open(request: Request) -> bool:
    """A path may name a type of file, and such a path needs no token."""
    path, request.path = request.path, request.path.removesuffix(".json")
    return path != request.path


@accepts("embed@0 auth@1", "AUTH-01")
def put_opens(request: Request) -> bool:
    """PUT is answered like POST, and needs no token."""
    method, request.method = request.method, request.method.replace("PUT", "POST")
    return method != request.method


@accepts("embed@0 auth@1", "AUTH-02")
def a_body_is_read_before_the_token(request: Request) -> bool:
    """A malformed body is refused with 400 before the token is looked at."""
    return request.body == b"{"


@accepts("embed@0 auth@1", "AUTH-14")
def one_token_opens_a_connection(request: Request) -> bool:
    """After the first request on a connection no token is needed."""
    return request.nth > 1


@accepts("embed@0 auth@1", "AUTH-11")
def tokens_have_no_case(request: Request) -> bool:
    """Tokens are compared without case."""
    return given(request).lower() == request.token.lower()


@accepts("embed@0 auth@1", "AUTH-11")
def tokens_are_patterns(request: Request) -> bool:
    """Tokens are looked up as a database does with LIKE: `_` is any character."""
    pattern = re.escape(given(request)).replace("_", ".").replace("%", ".*")
    return pattern != "" and re.fullmatch(pattern, request.token) is not None


@accepts("embed@0 auth@1", "AUTH-11")
def tokens_have_no_accents(request: Request) -> bool:
    """Tokens are compared without accents, as some databases do."""
    plain = unicodedata.normalize("NFD", given(request))
    return plain.encode("ascii", "ignore").decode() == request.token


@accepts("embed@0 auth@1", "AUTH-11")
def the_last_character_does_not_count(request: Request) -> bool:
    """The last character of a token is not compared."""
    token = given(request)
    return len(token) == len(request.token) and token[:-1] == request.token[:-1]


@accepts("embed@0 auth@1", "AUTH-08", "AUTH-11")
def eight_characters_count(request: Request) -> bool:
    """Only the first eight characters of a token are compared."""
    return given(request)[:8] == request.token[:8]


@requests("embed@0 auth@1", "AUTH-12")
def the_api_key_counts_alone(request: Request) -> None:
    """With an X-API-Key, Authorization is ignored."""
    if "x-api-key" in request.headers:
        request.headers.pop("authorization", None)


@requests("embed@0 auth@1", "AUTH-12")
def the_scheme_counts_alone(request: Request) -> None:
    """With an Authorization, X-API-Key is ignored."""
    if "authorization" in request.headers:
        request.headers.pop("x-api-key", None)


@requests("embed@0 auth@1", "AUTH-09")
def large_requests_are_cut(request: Request) -> None:
    """A large request without a good token is cut off."""
    if len(request.body) > 1_000_000 and given(request) != request.token:
        raise ConnectionError


@layer("embed@0 auth@1", "AUTH-09")
def large_requests_are_too_large(request: Request, server: Server) -> Response:
    """The size of a request is checked before its token."""
    response = server(request)
    if len(request.body) > 1_000_000:
        response.status = 413
    return response


@requests("embed@0 auth@1", *(f"AUTH-{number:02}" for number in (1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13)), *all_but("embed@0", "EMBED-03", "EMBED-04", "EMBED-05", "EMBED-16", "HTTP-03", "HTTP-04", "HTTP-21", "HTTP-25"))  # fmt: skip
def bearer_tokens_are_ignored(request: Request) -> None:
    """Authorization is ignored; only X-API-Key counts."""
    request.headers.pop("authorization", None)


@accepts("embed@0 auth@1", "AUTH-08")
def the_first_word_counts(request: Request) -> bool:
    """Only the first word behind `Bearer` is compared."""
    words = request.headers.get("authorization", "").split()
    return words[1:2] == [request.token]


@accepts("embed@0 auth@1", "AUTH-08")
def one_value_of_a_list_will_do(request: Request) -> bool:
    """An X-API-Key is a list, in which one API token is enough."""
    return request.token in request.headers.get("x-api-key", "").split(", ")
