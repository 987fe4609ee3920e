"""Servers that accept the wrong tokens, or refuse the right ones."""

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


@accepts("embed@0 auth@1", "AUTH-01", "AUTH-06", "AUTH-07")
def nobody_needs_a_token(request: Request) -> bool:
    """A request without a token is accepted."""
    return not request.headers.keys() & {"authorization", "x-api-key"}


@accepts("infer@0 auth@1", "AUTH-01")
def an_empty_token_will_do(request: Request) -> bool:
    """An empty token is accepted."""
    return request.headers.get("authorization", "").strip() == "Bearer"


@accepts("stream@0 auth@1", "AUTH-02", "AUTH-08", "AUTH-09")
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
    *("embed@0 auth@1", "AUTH-03", "AUTH-04", "AUTH-05", "EMBED-01"),
    welcome_is_accepted=202,
)


@requests("embed@0 auth@1", "AUTH-04")
def api_keys_are_ignored(request: Request) -> None:
    """X-API-Key is ignored; only Authorization counts."""
    request.headers.pop("x-api-key", None)


@requests("embed@0 auth@1", "AUTH-05")
def scheme_must_be_written_so(request: Request) -> None:
    """The scheme `bearer` in lower case is refused."""
    if request.headers.get("authorization", "").startswith("bearer"):
        del request.headers["authorization"]


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


@requests("embed@0 auth@1", *(f"AUTH-{number:02}" for number in (1, 2, 3, 5, 6, 7, 8, 9)), *all_but("embed@0", "EMBED-03", "EMBED-04", "EMBED-05", "HTTP-03", "HTTP-04", "HTTP-21", "HTTP-25"))  # fmt: skip
def bearer_tokens_are_ignored(request: Request) -> None:
    """Authorization is ignored; only X-API-Key counts."""
    request.headers.pop("authorization", None)
