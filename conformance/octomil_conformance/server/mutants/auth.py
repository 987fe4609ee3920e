"""Servers that accept the wrong tokens, or refuse the right ones."""

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.mutants import all_but, failures, layer, responses


def given(request: Request) -> str:
    header = request.headers.get("authorization", "").removeprefix("Bearer ")
    return header or request.headers.get("x-api-key", "")


def authorize(request: Request) -> None:
    request.headers["authorization"] = f"Bearer {request.token}"


@layer("embed@0 auth@1", "AUTH-01", "AUTH-06", "AUTH-07")
def nobody_needs_a_token(request: Request, server: Server) -> Response:
    """A request without a token is accepted."""
    if not request.headers.keys() & {"authorization", "x-api-key"}:
        authorize(request)
    return server(request)


@layer("infer@0 auth@1", "AUTH-01")
def an_empty_token_will_do(request: Request, server: Server) -> Response:
    """An empty token is accepted."""
    if request.headers.get("authorization", "").strip() == "Bearer":
        authorize(request)
    return server(request)


@layer("stream@0 auth@1", "AUTH-02", "AUTH-08", "AUTH-09")
def any_token_will_do(request: Request, server: Server) -> Response:
    """Any token is accepted."""
    if given(request).startswith("conf-"):
        authorize(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-02")
def any_api_key_will_do(request: Request, server: Server) -> Response:
    """The value of X-API-Key is not checked."""
    if "x-api-key" in request.headers:
        authorize(request)
    return server(request)


@responses("embed@0 auth@1", "AUTH-03", "AUTH-04", "AUTH-05", "EMBED-01")
def welcome_is_accepted(response: Response) -> None:
    """A request with a good token is answered with 202."""
    response.status = 202 if response.status == 200 else response.status


@layer("embed@0 auth@1", "AUTH-04")
def api_keys_are_ignored(request: Request, server: Server) -> Response:
    """X-API-Key is ignored; only Authorization counts."""
    request.headers.pop("x-api-key", None)
    return server(request)


@layer("embed@0 auth@1", "AUTH-05")
def scheme_must_be_written_so(request: Request, server: Server) -> Response:
    """The scheme `bearer` in lower case is refused."""
    if request.headers.get("authorization", "").startswith("bearer"):
        del request.headers["authorization"]
    return server(request)


@responses("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_not_named(response: Response) -> None:
    """A 401 has no WWW-Authenticate."""
    response.headers.pop("www-authenticate", None)


@responses("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_another(response: Response) -> None:
    """The WWW-Authenticate of a 401 names Basic instead of Bearer."""
    if "www-authenticate" in response.headers:
        response.headers["www-authenticate"] = 'Basic realm="x"'


@failures("embed@0 auth@1", "AUTH-07", "HTTP-25", shows="status-401")
def refusal_has_no_error(fields: Json) -> None:
    """A 401 has no `error`."""
    del fields["error"]


@failures("embed@0 auth@1", "AUTH-07", "HTTP-25", shows="status-401")
def refusal_has_no_message(fields: Json) -> None:
    """A 401 has no `message`."""
    del fields["message"]


@failures("embed@0 auth@1", "AUTH-07", shows="status-401")
def refusal_has_another_status_code(fields: Json) -> None:
    """The `status_code` of a 401 is 403."""
    fields["status_code"] = 403


@layer("embed@0 auth@1", "AUTH-08")
def beginning_of_a_token_will_do(request: Request, server: Server) -> Response:
    """The beginning of a token is accepted."""
    if given(request) and request.token.startswith(given(request)):
        authorize(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-08")
def more_than_a_token_will_do(request: Request, server: Server) -> Response:
    """A token with more characters after it is accepted."""
    if given(request).startswith(request.token):
        authorize(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-09")
def large_requests_are_cut(request: Request, server: Server) -> Response:
    """A large request without a good token is cut off."""
    if len(request.body) > 1_000_000 and given(request) != request.token:
        raise ConnectionError
    return server(request)


@layer("embed@0 auth@1", "AUTH-09")
def large_requests_are_too_large(request: Request, server: Server) -> Response:
    """The size of a request is checked before its token."""
    response = server(request)
    if len(request.body) > 1_000_000:
        response.status = 413
    return response


@layer("embed@0 auth@1", *(f"AUTH-{number:02}" for number in (1, 2, 3, 5, 6, 7, 8, 9)), *all_but("embed@0", "EMBED-03", "EMBED-04", "EMBED-05", "HTTP-03", "HTTP-04", "HTTP-21", "HTTP-25"))  # fmt: skip
def bearer_tokens_are_ignored(request: Request, server: Server) -> Response:
    """Authorization is ignored; only X-API-Key counts."""
    request.headers.pop("authorization", None)
    return server(request)
