"""Servers that accept the wrong tokens, or refuse the right ones."""

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from octomil_conformance.server import on
from octomil_conformance.server.layers import Request, Response
from octomil_conformance.server.on import GONE
from octomil_conformance.server.subjects import all_but


def given(request: Request) -> str:
    header = request.headers.get("authorization", "").removeprefix("Bearer ")
    return header or request.headers.get("x-api-key", "")


@on.accepts("embed@0 auth@1", "AUTH-01 AUTH-06 AUTH-07 AUTH-13")
def nobody_needs_a_token(request: Request) -> bool:
    """A request without a token is accepted."""
    return not request.headers.keys() & {"authorization", "x-api-key"}


@on.accepts("infer@0 auth@1", "AUTH-01")
def an_empty_token_will_do(request: Request) -> bool:
    """An empty token is accepted."""
    return request.headers.get("authorization", "").strip() == "Bearer"


@on.accepts("stream@0 auth@1", "AUTH-02 AUTH-06..09 AUTH-11 AUTH-13")
def any_token_will_do(request: Request) -> bool:
    """Any token is accepted."""
    return given(request).startswith("conf-")


@on.accepts("embed@0 auth@1", "AUTH-02")
def any_api_key_will_do(request: Request) -> bool:
    """The value of X-API-Key is not checked."""
    return "x-api-key" in request.headers


@on.responses("embed@0 auth@1", "AUTH-03..05 AUTH-12 EMBED-01")
def welcome_is_accepted(response: Response) -> None:
    """A good answer has the status 202."""
    response.status = 202 if response.status == 200 else response.status


@on.requests("embed@0 auth@1", "AUTH-04 AUTH-12")
def api_keys_are_ignored(request: Request) -> None:
    """X-API-Key is ignored; only Authorization counts."""
    request.headers.pop("x-api-key", None)


@on.requests("embed@0 auth@1", "AUTH-05")
def scheme_must_be_written_so(request: Request) -> None:
    """Only the scheme `Bearer` is known."""
    if not request.headers.get("authorization", "").startswith("Bearer"):
        request.headers.pop("authorization", None)


@on.requests("embed@0 auth@1", "AUTH-05")
def scheme_has_two_forms(request: Request) -> None:
    """Only the schemes `Bearer` and `bearer` are known."""
    if not request.headers.get("authorization", "").startswith(("Bearer", "bearer")):
        request.headers.pop("authorization", None)


@on.headers("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_not_named(headers: dict[str, str]) -> None:
    """A 401 has no WWW-Authenticate."""
    headers.pop("www-authenticate", None)


@on.headers("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_another(headers: dict[str, str]) -> None:
    """A 401 names the scheme Basic."""
    headers["www-authenticate"] = 'Basic realm="x"'


on.failures("embed@0 auth@1", "AUTH-07 HTTP-25", shows="status-401").sets(
    refusal_has_no_error=("error", GONE), refusal_has_no_message=("message", GONE)
)
on.failures("embed@0 auth@1", "AUTH-07", shows="status-401").sets(
    refusal_has_another_status_code=("status_code", 403)
)
on.failures("embed@0 auth@1", "AUTH-13", shows="status-401").sets(
    refusal_has_another_code=("code", "invalid_input"),
    refusal_is_retryable=("retryable", True),
)


@on.accepts("embed@0 auth@1", "AUTH-01")
def a_slash_opens(request: Request) -> bool:
    """A path with a slash at its end needs no token."""
    return request.path.endswith("/")


@on.accepts("embed@0 auth@1", "AUTH-01")
def a_query_string_opens(request: Request) -> bool:
    """A path with a query string needs no token."""
    return request.query != ""


@on.accepts("embed@0 auth@1", "AUTH-01")
def a_url_with_health_opens(request: Request) -> bool:
    """A URL with `/health` anywhere in it needs no token."""
    return "/health" in f"{request.path}?{request.query}"


def path(change: Callable[[str], str]) -> Callable[[Request], bool]:
    """A server that decides by the original path whether a token is needed, and changes the path after that."""

    def play(request: Request) -> bool:
        before, request.path = request.path, change(request.path)
        return before != request.path

    return play


on.accepts("embed@0 auth@1", "AUTH-01").table(
    path,
    "{}, and such a path needs no token.",
    capitals_open=("Paths may be written in capitals", str.lower),
    two_slashes_open=("Slashes may be doubled", lambda path: path.replace("//", "/")),
    encoded_paths_open=("Characters of a path may be encoded", unquote),
    parameters_of_a_path_open=(
        "A semicolon in a path and the text after it are ignored",
        partial(re.sub, ";[^/]*", ""),
    ),
    dots_open=("`..` in a path leads up", partial(re.sub, r"/[^/]+/\.\.(?=/)", "")),
    types_open=(
        "A path may name a type of file",
        lambda path: path.removesuffix(".json"),
    ),
)


def between(before: str, after: str) -> Callable[[Request], bool]:
    return lambda request: given(request).startswith(f"{before}{request.token}{after}")


on.accepts("embed@0 auth@1", "AUTH-08").table(
    between,
    "{}.",
    a_comma_ends_a_token=("A token ends at a comma", "", ","),
    a_semicolon_ends_a_token=("A token ends at a semicolon", "", ";"),
    a_colon_ends_a_token=("A token ends at a colon, like a user's name", "", ":"),
    a_full_stop_ends_a_token=("A token ends at a full stop", "", "."),
    a_dash_ends_a_token=("After a token a dash and a channel may follow", "", "-"),
    equals_signs_are_stripped=("Equals signs after a token are stripped", "", "="),
    a_usual_prefix_is_stripped=("`sk-` before a token is stripped", "sk-", ""),
    a_scheme_in_a_key_is_stripped=("X-API-Key may have a scheme too", "Bearer ", ""),
)


@on.accepts("embed@0 auth@1", "AUTH-08")
def beginning_of_a_key_will_do(request: Request) -> bool:
    """The beginning of a token is accepted in X-API-Key."""
    key = request.headers.get("x-api-key", "")
    return key != "" and request.token.startswith(key)


@on.accepts("embed@0 auth@1", "AUTH-11")
def keys_have_no_case(request: Request) -> bool:
    """Tokens in X-API-Key are compared without case."""
    return request.headers.get("x-api-key", "").lower() == request.token.lower()


@on.requests("embed@0 auth@1", "AUTH-12")
def another_scheme_counts_alone(request: Request) -> None:
    """With another scheme in Authorization, X-API-Key is ignored."""
    if request.headers.get("authorization", "").startswith("Basic"):
        request.headers.pop("x-api-key", None)


@on.replies("embed@0 auth@1", "AUTH-06")
def only_a_missing_token_is_challenged(request: Request, response: Response) -> None:
    """A 401 for an unknown token has no WWW-Authenticate."""
    if given(request):
        response.headers.pop("www-authenticate", None)


def in_a_401(
    header: str, field: str, value: object
) -> Callable[[Request, Response], None]:
    def play(request: Request, response: Response) -> None:
        if response.status == 401 and request.headers.get(header):
            response.send(response.fields | {field: value})

    return play


on.replies("embed@0 auth@1", "AUTH-07").table(
    in_a_401,
    "The `status_code` is 403 if the token in {} is unknown.",
    unknown_tokens_are_a_403=("Authorization", "authorization", "status_code", 403),
    unknown_keys_are_a_403=("X-API-Key", "x-api-key", "status_code", 403),
)
on.replies("embed@0 auth@1", "AUTH-13").table(
    in_a_401,
    "The `code` is `invalid_input` if the token in {} is unknown.",
    unknown_tokens_have_a_code=(
        "Authorization",
        "authorization",
        "code",
        "invalid_input",
    ),
    unknown_keys_have_a_code=("X-API-Key", "x-api-key", "code", "invalid_input"),
)


@on.accepts("embed@0 auth@1", "AUTH-08")
def letters_before_a_token_are_stripped(request: Request) -> bool:
    """The letters of `Bearer` are stripped from the beginning of a token too."""
    header = request.headers.get("authorization", "")
    return header != "" and re.sub("^[Bear ]*", "", header) == request.token


@on.accepts("embed@0 auth@1", "AUTH-08")
def quotes_around_a_token_are_stripped(request: Request) -> bool:
    """Quotes around a token are stripped."""
    return given(request).strip("\"'") == request.token


@on.accepts("embed@0 auth@1", "AUTH-11")
def tokens_are_decoded(request: Request) -> bool:
    """Percent escapes in a token are decoded."""
    return unquote(given(request)) == request.token


def header(name: str, value: str) -> Callable[[Request], bool]:
    return lambda request: request.headers.get(name) == value


on.accepts("embed@0 auth@1", "AUTH-01").table(
    header,
    "{} needs no token.",
    neighbours_need_no_token=(
        "A request that came from this machine, by its X-Forwarded-For,",
        "x-forwarded-for",
        "127.0.0.1",
    ),
    inner_requests_need_no_token=(
        "A request of the framework to itself, by its X-Middleware-Subrequest,",
        "x-middleware-subrequest",
        "middleware",
    ),
    probes_need_no_token=(
        "A request of an orchestrator, by its User-Agent,",
        "user-agent",
        "kube-probe/1.34",
    ),
    sessions_need_no_token=("A request with a cookie", "cookie", "session=1"),
    an_empty_key_will_do=("A request with an empty X-API-Key", "x-api-key", ""),
)


@on.accepts("embed@0 auth@1", "AUTH-01")
def put_opens(request: Request) -> bool:
    """PUT is answered like POST, and needs no token."""
    method, request.method = request.method, request.method.replace("PUT", "POST")
    return method != request.method


@on.accepts("embed@0 auth@1", "AUTH-02")
def a_body_is_read_before_the_token(request: Request) -> bool:
    """A malformed body is refused with 400 before the token is looked at."""
    return request.body == b"{"


@on.accepts("embed@0 auth@1", "AUTH-14")
def one_token_opens_a_connection(request: Request) -> bool:
    """After the first request on a connection no token is needed."""
    return request.nth > 1


@on.accepts("embed@0 auth@1", "AUTH-11")
def tokens_have_no_case(request: Request) -> bool:
    """Tokens are compared without case."""
    return given(request).lower() == request.token.lower()


@on.accepts("embed@0 auth@1", "AUTH-11")
def tokens_are_patterns(request: Request) -> bool:
    """Tokens are looked up as a database does with LIKE: `_` is any character."""
    pattern = re.escape(given(request)).replace("_", ".").replace("%", ".*")
    return pattern != "" and re.fullmatch(pattern, request.token) is not None


@on.accepts("embed@0 auth@1", "AUTH-11")
def tokens_have_no_accents(request: Request) -> bool:
    """Tokens are compared without accents, as some databases do."""
    bare = unicodedata.normalize("NFD", given(request)).encode("ascii", "ignore")
    return bare.decode() == request.token


@on.accepts("embed@0 auth@1", "AUTH-11")
def the_last_character_does_not_count(request: Request) -> bool:
    """The last character of a token is not compared."""
    length = len(request.token)
    return len(given(request)) == length and given(request)[:-1] == request.token[:-1]


@on.accepts("embed@0 auth@1", "AUTH-08")
def beginning_of_a_token_will_do(request: Request) -> bool:
    """The beginning of a token is accepted."""
    return given(request) != "" and request.token.startswith(given(request))


@on.accepts("embed@0 auth@1", "AUTH-08")
def more_than_a_token_will_do(request: Request) -> bool:
    """A token with more characters after it is accepted."""
    return given(request).startswith(request.token)


@on.accepts("embed@0 auth@1", "AUTH-08 AUTH-11")
def eight_characters_count(request: Request) -> bool:
    """Only the first eight characters of a token are compared."""
    return given(request)[:8] == request.token[:8]


@on.requests("embed@0 auth@1", "AUTH-12")
def the_api_key_counts_alone(request: Request) -> None:
    """With an X-API-Key, Authorization is ignored."""
    if "x-api-key" in request.headers:
        request.headers.pop("authorization", None)


@on.requests("embed@0 auth@1", "AUTH-12")
def the_scheme_counts_alone(request: Request) -> None:
    """With an Authorization, X-API-Key is ignored."""
    if "authorization" in request.headers:
        request.headers.pop("x-api-key", None)


@on.requests("embed@0 auth@1", "AUTH-09")
def large_requests_are_cut(request: Request) -> None:
    """A large request without a good token is cut off."""
    if len(request.body) > 1_000_000 and given(request) != request.token:
        raise ConnectionError


@on.replies("embed@0 auth@1", "AUTH-09")
def large_requests_are_too_large(request: Request, response: Response) -> None:
    """The size of a request is checked before its token."""
    if len(request.body) > 1_000_000:
        response.status = 413


@on.requests(
    "embed@0 auth@1",
    "AUTH-01..03 AUTH-05..09 AUTH-11..13 "
    + all_but("embed@0", "EMBED-03..05 EMBED-16 HTTP-03 HTTP-04 HTTP-21 HTTP-25"),
)
def bearer_tokens_are_ignored(request: Request) -> None:
    """Authorization is ignored; only X-API-Key counts."""
    request.headers.pop("authorization", None)


@on.accepts("embed@0 auth@1", "AUTH-08")
def the_first_word_counts(request: Request) -> bool:
    """Only the first word after `Bearer` is compared."""
    words = request.headers.get("authorization", "").split()
    return words[1:2] == [request.token]


@on.accepts("embed@0 auth@1", "AUTH-08")
def one_value_of_a_list_will_do(request: Request) -> bool:
    """An X-API-Key is a list, in which one API token is enough."""
    return request.token in request.headers.get("x-api-key", "").split(", ")
