"""Bodies of requests, to any endpoint, that are read wrongly or refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qsl

from octomil_conformance.server import on
from octomil_conformance.server.layers import MAX_BODY, Json, Request, Response

JSON = "application/json"


def failing_on(beginning: bytes) -> Callable[[Request, Response], None]:
    def play(request: Request, response: Response) -> None:
        if request.body.startswith(beginning):
            response.fail(500)

    return play


on.replies("infer@1", "HTTP-06").table(
    failing_on,
    "A body that is {} is answered with 500.",
    arrays_are_a_500=("an array", b'["model_id", '),
    null_is_a_500=("null", b"null"),
    strings_are_a_500=("a string", b'"'),
    numbers_are_a_500=("a number", b"7"),
)


@on.replies("embed@1", "HTTP-07")
def nesting_is_a_500(request: Request, response: Response) -> None:
    """Deeply nested JSON is answered with 500."""
    if b"[" * 1000 in request.body:
        response.fail(500)


@on.replies("infer@1", "HTTP-07")
def nesting_in_parameters_is_a_500(request: Request, response: Response) -> None:
    """Deeply nested JSON in `parameters` is answered with 500."""
    if b'"max_tokens": 1, "a": [[[' in request.body:
        response.fail(500)


@on.replies("embed@1", "HTTP-07")
def half_a_character_is_a_500(request: Request, response: Response) -> None:
    """Half of a surrogate pair is answered with 500."""
    if b"a lone \\ud800" in request.body:
        response.fail(500)


@on.replies("embed@1", "HTTP-07")
def half_a_character_in_a_name_is_a_500(request: Request, response: Response) -> None:
    """Half of a surrogate pair in the name of a model is answered with 500."""
    if b"conf-lone-\\ud800" in request.body:
        response.fail(500)


@on.replies("embed@1", "HTTP-07")
def a_number_out_of_range_is_a_500(request: Request, response: Response) -> None:
    """A number that 64 bits cannot hold is answered with 500 where it is used."""
    if b'"input": 1e999' in request.body:
        response.fail(500)


@on.replies("infer@1", "HTTP-07")
def a_huge_temperature_is_a_500(request: Request, response: Response) -> None:
    """An integer that 64 bits cannot hold is answered with 500 where a fraction is expected."""
    if b'"temperature": 1000' in request.body:
        response.fail(500)


@on.replies("embed@1", "HTTP-30")
def no_type_is_a_500(request: Request, response: Response) -> None:
    """A body without a Content-Type is answered with 500."""
    if request.body and "content-type" not in request.headers:
        response.fail(500)


@on.requests("embed@1", "HTTP-29 HTTP-37")
def large_bodies_are_cut(request: Request) -> None:
    """The connection breaks off at a body that is too large."""
    if len(request.body) > MAX_BODY:
        raise ConnectionError


@on.responses("embed@1", "HTTP-29")
def large_bodies_are_a_500(response: Response) -> None:
    """A body that is too large is answered with the status of another failure."""
    if response.status == 413:
        response.fail(500)


@on.replies("infer@1", "HTTP-05 HTTP-26 HTTP-27 HTTP-30 HTTP-31")
def malformed_json_is_a_500(request: Request, response: Response) -> None:
    """Malformed JSON is answered with 500."""
    if request.body in (b"{", b'{"model_id": '):
        response.fail(500)


@on.requests("embed@1", "HTTP-05")
def what_follows_json_is_ignored(request: Request) -> None:
    """Only the first JSON value of a body is read."""
    with suppress(ValueError, RecursionError):
        value, _ = json.JSONDecoder().raw_decode(request.body.decode())
        if type(value) is dict:
            request.send(value)


@on.requests("embed@1", "HTTP-05")
def json_is_read_leniently(request: Request) -> None:
    """A body may have a comma before a closing brace, comments and single quotes."""
    body = request.body.replace(b",}", b"}").removeprefix(b"/* */")
    request.body = body.replace(b"'", b'"') if body[:2] == b"{'" else body


def _reading(lenient: bytes, strict: bytes) -> Callable[[Request], None]:
    def play(request: Request) -> None:
        request.body = request.body.replace(b": " + lenient, b": " + strict)

    return play


on.requests("embed@1", "HTTP-05").table(
    _reading,
    "`{}` in a body is read.",
    nan_is_read=("NaN", b"NaN", b"null"),
    infinity_is_read=("[-Infinity]", b"[-Infinity]", b"[]"),
    zeros_before_numbers_are_read=("07", b"07", b"7"),
    python_is_read=("None", b"None", b"null"),
)


def _decoding(coding: str) -> Callable[[Request], None]:
    def play(request: Request) -> None:
        with suppress(ValueError):
            request.body = request.body.decode(coding).encode("ascii")

    return play


on.requests("embed@1", "HTTP-05").table(
    _decoding,
    "A body in {} is read.",
    utf_16_is_read=("UTF-16", "utf-16-le"),
    utf_32_is_read=("UTF-32", "utf-32-le"),
)


@on.requests("embed@1", "HTTP-05")
def bad_utf8_is_replaced(request: Request) -> None:
    """Bytes of a body that are not UTF-8 are replaced."""
    request.body = request.body.decode(errors="replace").encode()


@on.refuses("embed@1", "HTTP-08")
def unknown_fields_are_refused(fields: Json) -> bool:
    """An unknown field is refused."""
    return fields.keys() - {"model_id", "input"} != set()


@on.refuses("embed@1", "HTTP-08")
def another_model_counts(fields: Json) -> bool:
    """`model` counts, not `model_id`, if it is a text."""
    return isinstance(fields.get("model"), str)


@on.refuses("embed@1", "HTTP-08")
def fields_are_known_in_any_case(fields: Json) -> bool:
    """The names of fields are known in any case, such as `MODEL_ID`."""
    return any(name != "model_id" and name.casefold() == "model_id" for name in fields)


@on.requests("infer@1", "HTTP-08 HTTP-25")
def a_field_chooses_a_stream(request: Request) -> None:
    """`stream` beside the prompt chooses a stream."""
    if request.fields.get("stream") and request.path.endswith("/inference"):
        request.path += "/stream"


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


@on.requests("embed@1", "HTTP-23")
def one_chunk_is_read(request: Request) -> None:
    """Only the beginning of a chunked body is read."""
    if "transfer-encoding" in request.headers:
        request.body = request.body[:7]


@on.requests("embed@1", "HTTP-26")
def a_second_request_has_no_body(request: Request) -> None:
    """The body of a connection's second request is not read."""
    if request.nth > 1:
        request.body = b""


@on.replies("embed@1", "HTTP-28")
def bodies_have_ten_kilobytes(request: Request, response: Response) -> None:
    """A body of more than 10 kB is refused with 413."""
    if len(request.body) > 10_000:
        response.fail(413)


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


@on.replies("embed@1", "HTTP-29")
def large_chunks_are_dropped(request: Request, response: Response) -> None:
    """After the response to a chunked body that is too large the connection is closed at once."""
    is_chunked = "transfer-encoding" in request.headers
    response.drops = is_chunked and response.status == 413
