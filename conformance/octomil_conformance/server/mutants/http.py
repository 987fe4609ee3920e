"""Bugs that every endpoint can have, in methods, paths, headers and connections."""

import gzip
from collections.abc import Callable
from urllib.parse import parse_qsl

from octomil_conformance.server import on
from octomil_conformance.server.layers import Layer, Request, Response, Server
from octomil_conformance.server.on import GONE
from octomil_conformance.server.subjects import all_but

on.headers("health@0", "HTTP-04").sets(
    json_is_plain_text=("content-type", "text/plain")
)
on.headers("embed@1", "HTTP-14").sets(allow_is_missing=("allow", GONE))
on.answers("health@0", "HTTP-25").sets(version_is_a_number=("version", 1))


@on.replies("embed@1", "HTTP-14")
def options_is_a_500(request: Request, response: Response) -> None:
    """OPTIONS is answered with 500."""
    if request.method == "OPTIONS":
        response.fail(500)


@on.replies("embed@1", "HTTP-26")
def a_percent_sign_is_a_500(request: Request, response: Response) -> None:
    """A path that is not well encoded is answered with 500."""
    if request.path == "/%":
        response.fail(500)


@on.replies("embed@1", "HTTP-31")
def expectations_fail(request: Request, response: Response) -> None:
    """A request with `Expect: 100-continue` is answered with 417."""
    if "expect" in request.headers:
        response.fail(417)


@on.replies("embed@1", "HTTP-39")
def other_sites_are_refused(request: Request, response: Response) -> None:
    """A request from another site is answered with 403."""
    if "sec-fetch-site" in request.headers:
        response.fail(403)


def refusing_agents(word: str) -> Callable[[Request, Response], None]:
    def play(request: Request, response: Response) -> None:
        if word in request.headers.get("user-agent", ""):
            response.fail(403)

    return play


on.replies("embed@1", "HTTP-39").table(
    refusing_agents,
    "A request with {} in its User-Agent is answered with 403.",
    bots_are_refused=("`bot`", "bot"),
    python_is_refused=("`python`", "python"),
    browsers_are_refused=("`Mozilla`", "Mozilla"),
    node_is_refused=("`node`", "node"),
)


@on.replies("embed@1", "HTTP-39")
def the_nameless_are_refused(request: Request, response: Response) -> None:
    """A request without a User-Agent is answered with 403."""
    if "user-agent" not in request.headers:
        response.fail(403)


@on.replies("embed@1", "HTTP-39")
def compression_is_not_negotiated(request: Request, response: Response) -> None:
    """Answers are compressed if `Accept-Encoding` has the word gzip, even in `gzip;q=0`."""
    if response.body and "gzip" in request.headers.get("accept-encoding", ""):
        response.send_bytes(gzip.compress(response.body))
        response.headers["content-encoding"] = "gzip"


@on.replies("embed@1", "HTTP-39")
def conditions_are_checked(request: Request, response: Response) -> None:
    """A request with an If-Match is answered with 412."""
    if "if-match" in request.headers:
        response.fail(412)


@on.replies("embed@1", "HTTP-39")
def rewritten_paths_are_refused(request: Request, response: Response) -> None:
    """A request with an X-Rewrite-URL is answered with 404."""
    if "x-rewrite-url" in request.headers:
        response.fail(404)


@on.replies("embed@0 auth@1", "AUTH-02")
def letters_in_a_token_are_a_500(request: Request, response: Response) -> None:
    """An X-API-Key with a letter that is not ASCII is answered with 500."""
    if not request.headers.get("x-api-key", "").isascii():
        response.fail(500)


@on.requests("infer@1", "HTTP-26")
def a_second_request_breaks_off(request: Request) -> None:
    """The connection breaks off at its second request."""
    if request.nth > 1:
        raise ConnectionError


@on.requests("embed@1", "HTTP-26")
def two_slashes_are_cut(request: Request) -> None:
    """The connection breaks off at a path of slashes alone."""
    if request.path and not request.path.strip("/"):
        raise ConnectionError


@on.requests("embed@1", "HTTP-38")
def upgrades_are_cut(request: Request) -> None:
    """The connection breaks off at a request that offers an upgrade."""
    if "upgrade" in request.headers:
        raise ConnectionError


@on.responses("embed@1", "HTTP-14 HTTP-33")
def other_methods_are_not_found(response: Response) -> None:
    """A wrong method is answered with the status of another failure."""
    if response.status == 405:
        response.fail(404)


@on.responses("embed@1", "HTTP-15 HTTP-33")
def unknown_path_is_a_400(response: Response) -> None:
    """An unknown path is answered with the status of another failure."""
    if response.status == 404:
        response.fail(400)


@on.responses(
    "embed@1",
    "HTTP-01 HTTP-05 HTTP-06 HTTP-09 HTTP-14 HTTP-15 HTTP-22 HTTP-25..27 HTTP-29..31 "
    "HTTP-33 HTTP-38 EMBED-13..15",
    shows="http-500",
)
def failures_are_200(response: Response) -> None:
    """A failure has the status 200."""
    response.status = 200


@on.replies(
    "batch@1",
    all_but("batch@1", "BATCH-02..05 HTTP-03 HTTP-04 HTTP-07 HTTP-13 HTTP-19 HTTP-21"),
)
def posts_are_redirected(request: Request, response: Response) -> None:
    """A path without a slash at its end is redirected to the path with one."""
    if not request.path.endswith("/"):
        response.status = 308
        response.headers["location"] = f"{request.path}/"


@on.responses("infer@0", "HTTP-03")
def score_is_nan(response: Response) -> None:
    """A number is written as NaN."""
    response.send({**response.fields, "score": float("nan")})


@on.responses("embed@0", "HTTP-03")
def json_has_a_mark(response: Response) -> None:
    """A JSON body begins with a byte order mark."""
    response.send_bytes(b"\xef\xbb\xbf" + response.body)


@on.responses("batch@0", "HTTP-21")
def length_is_wrong(response: Response) -> None:
    """Content-Length announces more bytes than there are."""
    response.headers["content-length"] = str(len(response.body) + 7)
    response.headers["connection"] = "close"


@on.responses("embed@1", "HTTP-09 HTTP-10 HTTP-12 HTTP-15 HTTP-17 HTTP-32 HTTP-33")
def unknown_path_is_a_page(response: Response) -> None:
    """An unknown path is answered with a web page."""
    if response.status == 404:
        response.send_bytes(b"<h1>Not found</h1>")


@on.requests("embed@1", "HTTP-19")
def slash_is_not_found(request: Request) -> None:
    """A path with a slash at its end is unknown."""
    if request.path.endswith("/"):
        request.path += "nothing"


@on.requests("embed@1", "HTTP-27")
def a_query_string_is_not_found(request: Request) -> None:
    """A path with a query string is unknown."""
    if request.query:
        request.path += "/nothing"


@on.requests("embed@1", "HTTP-27")
def a_query_is_the_method(request: Request) -> None:
    """`_method` in the query replaces the method."""
    request.method = dict(parse_qsl(request.query)).get("_method", request.method)


@on.requests("embed@1", "HTTP-27")
def a_query_replaces_fields(request: Request) -> None:
    """Fields in the query replace those of the body."""
    if fields := request.fields:
        added = fields.keys() & dict(parse_qsl(request.query))
        request.send(fields | dict.fromkeys(added, 0))


@on.requests("embed@1", "HTTP-27")
def a_query_adds_fields(request: Request) -> None:
    """Fields in the query are added to those of the body."""
    if fields := request.fields:
        request.send(dict(parse_qsl(request.query)) | fields)


@on.replies("embed@1", "HTTP-27")
def a_query_names_a_function(request: Request, response: Response) -> None:
    """`callback` in the query is put around the response as the name of a function."""
    if "callback=" in request.query:
        response.send_bytes(b"f(" + response.body + b")")


@on.requests("embed@1", "HTTP-14")
def a_query_is_a_body(request: Request) -> None:
    """GET with a query is answered like POST."""
    if request.method == "GET" and "input=" in request.query:
        request.method = "POST"
        request.send(dict(parse_qsl(request.query)))


@on.replies("embed@1", "HTTP-37")
def a_trace_is_an_echo(request: Request, response: Response) -> None:
    """TRACE is answered with the headers of the request."""
    if request.method == "TRACE":
        response.send_bytes(str(request.headers).encode())


@on.requests("embed@1", "HTTP-14")
def put_is_post(request: Request) -> None:
    """PUT is answered like POST."""
    request.method = request.method.replace("PUT", "POST")


@on.requests("embed@1", "HTTP-14")
def every_other_method_is_post(request: Request) -> None:
    """A method that HTTP does not have is answered like POST."""
    request.method = request.method.replace("PROPFIND", "POST")


@on.requests("embed@1", "HTTP-14 HTTP-39")
def a_header_is_the_method(request: Request) -> None:
    """X-HTTP-Method-Override replaces the method."""
    request.method = request.headers.get("x-http-method-override", request.method)


@on.replies("embed@1", "HTTP-39")
def plain_http_is_redirected(request: Request, response: Response) -> None:
    """A request that came to a proxy over plain HTTP is redirected to HTTPS."""
    if request.headers.get("x-forwarded-proto") == "http":
        response.status = 308
        response.headers["location"] = f"https://a.example{request.path}"


@on.requests("infer@1", "HTTP-39")
def accept_chooses_a_stream(request: Request) -> None:
    """A request that accepts event streams gets one."""
    accepted = request.headers.get("accept", "")
    if accepted == "text/event-stream" and request.path.endswith("/inference"):
        request.path += "/stream"


@on.replies("embed@1", "HTTP-14")
def head_is_a_200(request: Request, response: Response) -> None:
    """HEAD is answered with 200."""
    response.status = 200 if request.method == "HEAD" else response.status


@on.headers("embed@2", "HTTP-35", shows="http-429")
def retry_after_is_in_milliseconds(headers: dict[str, str]) -> None:
    """Retry-After is in milliseconds."""
    if "retry-after" in headers:
        headers["retry-after"] += "000"


@on.layer("embed@1", "HTTP-14")
def options_names_nothing(request: Request, server: Server) -> Response:
    """OPTIONS is answered with 204, without the methods."""
    if request.method == "OPTIONS":
        return Response(204, {}, [])
    return server(request)


@on.responses("embed@1", "HTTP-33")
def every_404_is_about_a_model(response: Response) -> None:
    """A 404 for an unknown path has the code `model_not_found`."""
    if response.status == 404:
        response.send(response.fields | {"code": "model_not_found"})


@on.headers("embed@2", "HTTP-35", shows="http-429-later")
def retry_after_is_at_most_a_minute(headers: dict[str, str]) -> None:
    """Retry-After is at most 60."""
    if "retry-after" in headers:
        headers["retry-after"] = str(min(60, int(headers["retry-after"])))


@on.requests("embed@1", "HTTP-19")
def slash_before_a_query_is_not_found(request: Request) -> None:
    """A path with a slash at its end is unknown if a query string follows."""
    if request.path.endswith("/") and request.query:
        request.path += "nothing"


@on.replies("embed@1", "HTTP-15")
def an_unknown_page_is_the_first_one(request: Request, response: Response) -> None:
    """GET of an unknown path is answered with the first page of a web site."""
    if response.status == 404 and request.method == "GET":
        response.status = 200
        response.send_bytes(b"<h1>Welcome</h1>")


def unread_after(is_odd: Callable[[Request, Response], bool]) -> Layer:
    odd: list[bool] = []

    def play(request: Request, server: Server) -> Response:
        response = server(request)
        if request.nth > 1 and odd and request.body == b"{":
            odd.pop()
            return response.fail(501)
        odd.extend([True] * is_odd(request, response))
        return response

    return play


on.layer("embed@1", "HTTP-26").table(
    unread_after,
    "The rest of {} is taken for the next request on its connection.",
    a_401_is_not_read=("a request without access", lambda _, got: got.status == 401),
    a_415_is_not_read=("a body of a wrong type", lambda _, got: got.status == 415),
    an_expected_body_is_not_read=(
        "a body that the client asks about before it sends it",
        lambda asked, _: "expect" in asked.headers,
    ),
    a_trailer_is_not_read=(
        "a body in chunks",
        lambda asked, _: "transfer-encoding" in asked.headers,
    ),
    a_405_is_not_read=(
        "a request with a wrong method",
        lambda asked, got: asked.method == "PUT" and got.status == 405,
    ),
    a_head_is_not_read=("HEAD", lambda asked, _: asked.method == "HEAD"),
)
