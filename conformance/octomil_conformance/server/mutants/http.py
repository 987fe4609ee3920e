"""Bugs that every endpoint can have."""

import json
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qsl

from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import MAX_BODY, Json, Request, Response, Server
from octomil_conformance.server.subjects import GONE, all_but, table

JSON = "application/json"


on.headers.sets(
    "health@0", "HTTP-04", json_is_plain_text=("content-type", "text/plain")
)
on.headers.sets("embed@1", "HTTP-14", allow_is_missing=("allow", GONE))
on.answers.sets("health@0", "HTTP-25", version_is_a_number=("version", 1))


# fmt: off
Asked = Callable[[Request], object]


def answered(status: int, holds: Asked) -> Callable[[Request, Response], object]:
    def play(request: Request, response: Response) -> None:
        if holds(request):
            response.send({"error": "failed", "message": "No.", **response.fields})
            response.fail(status)

    return play


def failing(*violates: str, claims: str = "embed@1", **rows: tuple[str, int, Asked]) -> None:
    """Servers that answer such requests with this status: `name=(words, status, condition)`."""
    table(on.replies(claims, *violates), answered, "{} is answered with a failure.", **rows)


failing("HTTP-06", claims="infer@1", arrays_are_a_500=("A body that is an array", 500, lambda asked: asked.body[:1] == b"["))
failing(
    "HTTP-07",
    nesting_is_a_500=("Deeply nested JSON", 500, lambda asked: b"[" * 1000 in asked.body),
    half_a_character_is_a_500=("Half of a surrogate pair", 500, lambda asked: b"a lone \\ud800" in asked.body),
)
failing("HTTP-14", options_is_a_500=("OPTIONS", 500, lambda asked: asked.method == "OPTIONS"))
failing("HTTP-26", a_percent_sign_is_a_500=("A path that is not well encoded", 500, lambda asked: asked.path == "/%"))
failing("HTTP-30", no_type_is_a_500=("A body without a Content-Type", 500, lambda asked: asked.method == "POST" and "content-type" not in asked.headers))
failing("HTTP-31", expectations_fail=("A request with `Expect: 100-continue`", 417, lambda asked: "expect" in asked.headers))
failing(
    "HTTP-39",
    other_sites_are_refused=("A request from another site", 403, lambda asked: "sec-fetch-site" in asked.headers),
    bots_are_refused=("A request of a bot", 403, lambda asked: "bot" in asked.headers.get("user-agent", "")),
    the_nameless_are_refused=("A request without a User-Agent", 403, lambda asked: "user-agent" not in asked.headers),
    conditions_are_checked=("A request with an If-Match", 412, lambda asked: "if-match" in asked.headers),
    rewritten_paths_are_refused=("A request with an X-Rewrite-URL", 404, lambda asked: "x-rewrite-url" in asked.headers),
)
failing("AUTH-02", claims="embed@0 auth@1", letters_in_a_token_are_a_500=("An X-API-Key with a letter that is not ASCII", 500, lambda asked: not asked.headers.get("x-api-key", "").isascii()))


def cut_off(holds: Asked) -> Asked:
    def play(request: Request) -> None:
        if holds(request):
            raise ConnectionError

    return play


def cutting(*violates: str, claims: str = "embed@1", **rows: tuple[str, Asked]) -> None:
    """Servers that break off the connection of such requests."""
    table(on.requests(claims, *violates), cut_off, "The connection breaks off at {}.", **rows)


cutting("HTTP-26", claims="infer@1", a_second_request_breaks_off=("its second request", lambda asked: asked.nth > 1))
cutting("HTTP-26", two_slashes_are_cut=("a path of slashes alone", lambda asked: asked.path and not asked.path.strip("/")))
cutting("HTTP-29", "HTTP-37", large_bodies_are_cut=("a body that is too large", lambda asked: len(asked.body) > MAX_BODY))
cutting("HTTP-38", upgrades_are_cut=("a request that offers an upgrade", lambda asked: "upgrade" in asked.headers))


def without_id(holds: Callable[[str], object]) -> Callable[[Request], object]:
    return lambda request: holds(request.headers.get("x-request-id", "")) and request.headers.pop("x-request-id")


table(
    on.requests("embed@1", "HTTP-13"),
    without_id,
    "An X-Request-Id {} is replaced.",
    ids_begin_with_a_letter=("that begins with a sign", lambda given: given[:1] in {*"-._"}),
    long_ids_are_replaced=("of 64 characters", lambda given: len(given) > 63),
    only_plain_ids_are_kept=("with a dot or an underscore", lambda given: {*"._"} & {*given}),
)


def another(status: int, instead: int) -> Callable[[Response], object]:
    return lambda response: response.status == status and response.fail(instead)


def replacing(*violates: str, **rows: tuple[str, int, int]) -> None:
    """Servers whose failures have another status."""
    table(on.responses("embed@1", *violates), another, "{} is answered with the status of another failure.", **rows)


replacing("HTTP-14", "HTTP-33", other_methods_are_not_found=("A wrong method", 405, 404))
replacing("HTTP-15", "HTTP-33", unknown_path_is_a_400=("An unknown path", 404, 400))
replacing("HTTP-29", large_bodies_are_a_500=("A body that is too large", 413, 500))
# fmt: on


@on.responses("embed@1", *(f"HTTP-{number:02}" for number in (1, 5, 6, 9, 14, 15, 22, 25, 26, 27, 29, 30, 31, 33, 38)), "EMBED-13", "EMBED-14", "EMBED-15", shows="http-500")  # fmt: skip
def failures_are_200(response: Response) -> None:
    """A failure has the status 200."""
    response.status = 200


@on.replies("batch@1", *all_but("batch@1", "BATCH-02", "BATCH-03", "BATCH-04", "BATCH-05", "HTTP-03", "HTTP-04", "HTTP-07", "HTTP-13", "HTTP-19", "HTTP-21"))  # fmt: skip
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


@on.replies("infer@1", "HTTP-05", "HTTP-26", "HTTP-27", "HTTP-30", "HTTP-31")
def malformed_json_is_a_500(request: Request, response: Response) -> None:
    """Malformed JSON is answered with 500."""
    is_malformed = request.body in (b"{", b'{"model_id": ')
    if is_malformed:
        response.fail(500)


@on.requests("embed@1", "HTTP-05")
def what_follows_json_is_ignored(request: Request) -> None:
    """Only the first JSON value of a body is read."""
    with suppress(ValueError, RecursionError):
        value, _ = json.JSONDecoder().raw_decode(request.body.decode())
        request.body = (
            json.dumps(value).encode() if type(value) is dict else request.body
        )


@on.requests("embed@1", "HTTP-05")
def json_is_read_leniently(request: Request) -> None:
    """A body may have a comma before a closing brace, comments and single quotes."""
    body = request.body.replace(b",}", b"}").removeprefix(b"/* */")
    request.body = body.replace(b"'", b'"') if body[:2] == b"{'" else body


@on.refuses("embed@1", "HTTP-08")
def unknown_fields_are_refused(fields: Json) -> bool:
    """An unknown field is refused."""
    return fields.keys() - {"model_id", "input"} != set()


@on.refuses("embed@1", "HTTP-08")
def fields_are_known_in_any_case(fields: Json) -> bool:
    """The names of fields are known in any case, such as `MODEL_ID`."""
    return any(name != "model_id" and name.casefold() == "model_id" for name in fields)


@on.requests("infer@1", "HTTP-08", "HTTP-25")
def a_field_chooses_a_stream(request: Request) -> None:
    """`stream` beside the prompt chooses a stream."""
    if request.fields.get("stream") and request.path.endswith("/inference"):
        request.path += "/stream"


@on.responses("embed@1", "HTTP-15", "HTTP-33")
def unknown_path_is_a_page(response: Response) -> None:
    """An unknown path is answered with a web page."""
    if response.status == 404:
        response.send_bytes(b"<h1>Not found</h1>")


@on.requests("embed@1", "HTTP-18")
def content_type_is_read_strictly(request: Request) -> None:
    """The content type has to be application/json to the letter."""
    if request.headers.get("content-type") != JSON:
        request.headers["content-type"] = "text/plain"


@on.requests("embed@1", "HTTP-18")
def charsets_have_no_quotes(request: Request) -> None:
    """A content type with quotes is refused."""
    if '"' in request.headers.get("content-type", ""):
        request.headers["content-type"] = "text/plain"


@on.requests("embed@1", "HTTP-19")
def slash_is_not_found(request: Request) -> None:
    """A path with a slash at its end is unknown."""
    if request.path.endswith("/"):
        request.path += "nothing"


@on.requests("embed@1", "HTTP-22")
def forms_are_read(request: Request) -> None:
    """A form is read as if it were JSON."""
    if "form" in request.headers.get("content-type", ""):
        request.headers["content-type"] = JSON
        request.send(dict(parse_qsl(request.body.decode())))


@on.requests("embed@1", "HTTP-23")
def chunks_are_not_read(request: Request) -> None:
    """A chunked body counts as empty."""
    if "transfer-encoding" in request.headers:
        request.body = b""


@on.requests("embed@1", "HTTP-26")
def a_second_request_has_no_body(request: Request) -> None:
    """The body of a connection's second request is not read."""
    if request.nth > 1:
        request.body = b""


@on.requests("embed@1", "HTTP-27")
def a_query_string_is_not_found(request: Request) -> None:
    """A path with a query string is unknown."""
    if request.query:
        request.path += "/nothing"


@on.requests("embed@1", "HTTP-27")
def a_query_is_the_method(request: Request) -> None:
    """`_method` in the query replaces the method."""
    request.method = dict(parse_qsl(request.query)).get("_method", request.method)


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


@on.replies("embed@1", "HTTP-28")
def bodies_have_ten_kilobytes(request: Request, response: Response) -> None:
    """A body of more than 10 kB is refused with 413."""
    if len(request.body) > 10_000:
        response.status = 413
        response.send({"error": "payload_too_large", "message": "Too large.", "status_code": 413})  # fmt: skip


@on.requests("embed@1", "HTTP-14")
def put_is_post(request: Request) -> None:
    """PUT is answered like POST."""
    request.method = request.method.replace("PUT", "POST")


@on.requests("embed@1", "HTTP-14", "HTTP-39")
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


@on.requests("embed@1", "HTTP-13")
def ids_are_numbers(request: Request) -> None:
    """An X-Request-Id of digits is read as a number, without the zeros at its beginning."""
    given = request.headers.get("x-request-id", "")
    if given.isdecimal():
        request.headers["x-request-id"] = str(int(given))


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


_noted: set[str] = set()


@on.requests("embed@1", "HTTP-13")
def a_pattern_remembers_its_place(request: Request) -> None:
    """Of equal requests in a row, each second one has another X-Request-Id."""
    given = request.headers.get("x-request-id", "")
    if given in _noted:
        del request.headers["x-request-id"]
    _noted.symmetric_difference_update({given} - {""})


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


@on.requests("embed@2", "EMBED-23")
def bodies_are_decoded_piece_by_piece(request: Request) -> None:
    """The body of a request is decoded in pieces of 10 kB, so that a character that lies across two is lost."""
    parts = [request.body[n : n + 10_001] for n in range(0, len(request.body), 10_001)]
    if b"{" in request.body[:1]:
        request.body = "".join(each.decode(errors="replace") for each in parts).encode()


@on.replies("embed@1", "HTTP-29")
def huge_bodies_are_dropped(request: Request, response: Response) -> None:
    """After the response to a body of more than 16 MiB the connection is closed at once."""
    declared = request.headers.get("content-length", "0")
    response.drops = int(declared) > 16 * 1024 * 1024


@on.replies("embed@1", "HTTP-29")
def large_bodies_are_dropped(request: Request, response: Response) -> None:
    """After the response to a body that is too large the connection is closed at once."""
    if response.status == 413:
        response.drops = True
