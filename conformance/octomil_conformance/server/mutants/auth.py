"""Doors that are too open or too shut."""

from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import all_but, everywhere, failures, layer


def given(request: Request) -> str:
    header = request.headers.get("authorization", "").removeprefix("Bearer ")
    return header or request.headers.get("x-api-key", "")


def let_in(request: Request) -> None:
    request.headers["authorization"] = f"Bearer {request.token}"


@layer("embed@0 auth@1", "AUTH-01", "AUTH-06", "AUTH-07")
def nobody_needs_a_token(request: Request, server: Ask) -> Answer:
    """Who has no token is let in."""
    if not request.headers.keys() & {"authorization", "x-api-key"}:
        let_in(request)
    return server(request)


@layer("infer@0 auth@1", "AUTH-01")
def an_empty_token_will_do(request: Request, server: Ask) -> Answer:
    """An empty token is let in."""
    if request.headers.get("authorization", "").strip() == "Bearer":
        let_in(request)
    return server(request)


@layer("stream@0 auth@1", "AUTH-02", "AUTH-08", "AUTH-09")
def any_token_will_do(request: Request, server: Ask) -> Answer:
    """Whoever has some token is let in."""
    if given(request).startswith("conf-"):
        let_in(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-02")
def any_api_key_will_do(request: Request, server: Ask) -> Answer:
    """X-API-Key is not looked at."""
    if "x-api-key" in request.headers:
        let_in(request)
    return server(request)


@everywhere("embed@0 auth@1", "AUTH-03", "AUTH-04", "AUTH-05", "EMBED-01")
def welcome_is_accepted(answer: Answer) -> None:
    """Who is let in gets a 202."""
    answer.status = 202 if answer.status == 200 else answer.status


@layer("embed@0 auth@1", "AUTH-04")
def api_keys_are_ignored(request: Request, server: Ask) -> Answer:
    """Only Authorization is looked at."""
    request.headers.pop("x-api-key", None)
    return server(request)


@layer("embed@0 auth@1", "AUTH-05")
def scheme_must_be_written_so(request: Request, server: Ask) -> Answer:
    """`bearer` in small letters is refused."""
    if request.headers.get("authorization", "").startswith("bearer"):
        del request.headers["authorization"]
    return server(request)


@everywhere("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_not_named(answer: Answer) -> None:
    """A 401 has no WWW-Authenticate."""
    answer.headers.pop("www-authenticate", None)


@everywhere("embed@0 auth@1", "AUTH-06", shows="status-401")
def scheme_is_another(answer: Answer) -> None:
    """A 401 asks for Basic."""
    if "www-authenticate" in answer.headers:
        answer.headers["www-authenticate"] = 'Basic realm="x"'


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
    """A 401 says 403 in its body."""
    fields["status_code"] = 403


@layer("embed@0 auth@1", "AUTH-08")
def beginning_of_a_token_will_do(request: Request, server: Ask) -> Answer:
    """Tokens are compared by the length of the given one."""
    if given(request) and request.token.startswith(given(request)):
        let_in(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-08")
def more_than_a_token_will_do(request: Request, server: Ask) -> Answer:
    """Tokens are compared by the length of the known one."""
    if given(request).startswith(request.token):
        let_in(request)
    return server(request)


@layer("embed@0 auth@1", "AUTH-09")
def large_requests_are_cut(request: Request, server: Ask) -> Answer:
    """Who sends much without a good token is cut off."""
    if len(request.body) > 1_000_000 and given(request) != request.token:
        raise ConnectionError
    return server(request)


@layer("embed@0 auth@1", "AUTH-09")
def large_requests_are_too_large(request: Request, server: Ask) -> Answer:
    """The size of a request is looked at before its token."""
    answer = server(request)
    if len(request.body) > 1_000_000:
        answer.status = 413
    return answer


@layer("embed@0 auth@1", *(f"AUTH-{number:02}" for number in (1, 2, 3, 5, 6, 7, 8, 9)), *all_but("embed@0", "EMBED-03", "EMBED-04", "EMBED-05", "HTTP-03", "HTTP-04", "HTTP-21", "HTTP-25"))  # fmt: skip
def bearer_tokens_are_ignored(request: Request, server: Ask) -> Answer:
    """Only X-API-Key is looked at."""
    request.headers.pop("authorization", None)
    return server(request)
