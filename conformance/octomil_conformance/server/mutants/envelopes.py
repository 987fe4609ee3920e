"""Failures without a proper envelope, request ids that get lost, and responses that show the API token of a request, a traceback or a path."""

import json
import time
from collections.abc import Callable

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response, messages_in
from octomil_conformance.server.mutants.gateway import GATEWAY
from octomil_conformance.server.on import GONE

on.failures("batch@1", "HTTP-09 HTTP-15 HTTP-17 HTTP-25 HTTP-33", shows="echo").sets(
    error_is_missing=("error", GONE)
)
on.failures("embed@1", "HTTP-09 HTTP-25").sets(message_is_empty=("message", ""))
on.failures("embed@1", "HTTP-09 HTTP-27 HTTP-29").sets(
    status_code_is_another=("status_code", 500)
)
on.failures("embed@1", "HTTP-10 HTTP-33").sets(code_is_missing=("code", GONE))
on.failures("embed@1", "HTTP-10 HTTP-32").sets(retryable_is_missing=("retryable", GONE))
on.failures("embed@1", "HTTP-32", shows="status-400").sets(
    all_failures_are_retryable=("retryable", True)
)
on.failures("embed@1", "HTTP-33").sets(
    all_failures_are_errors=("error", "error"),
    all_failures_have_one_code=("code", "server_error"),
)
on.failures("embed@1", "HTTP-12").sets(request_id_is_another=("request_id", "0"))


@on.failures("embed@1", "HTTP-09")
def status_code_is_a_fraction(fields: Json) -> None:
    """The `status_code` of a failure is 400.0."""
    fields["status_code"] = float(fields["status_code"])


@on.replies("stream@1", "HTTP-17 HTTP-25", shows="http-500")
def failure_is_an_event(request: Request, response: Response) -> None:
    """A client that accepts events gets a failure as an event."""
    if request.headers.get("accept") == "text/event-stream" and response.status >= 400:
        response.send_bytes(b"data: " + response.body + b"\n\n")


def page_for(accepted: str) -> Callable[[Request, Response], None]:
    def play(request: Request, response: Response) -> None:
        if accepted in request.headers.get("accept", "") and response.status >= 400:
            response.headers["content-type"] = accepted

    return play


on.replies("embed@1", "HTTP-17").table(
    page_for,
    "A client that accepts {} gets a failure with this content type.",
    failure_is_labelled_as_a_page=("web pages", "text/html"),
    failure_is_labelled_as_xml=("XML", "application/xml"),
)


@on.replies("stream@1", "HTTP-17", shows="http-500")
def failure_is_labelled_as_a_stream(request: Request, response: Response) -> None:
    """A client that accepts events gets a failure with the content type of a stream."""
    if response.status >= 400:
        accepted = request.headers.get("accept", "*/*")
        response.headers["content-type"] = accepted.replace("*/*", "application/json")


@on.replies("embed@1", "HTTP-37")
def a_404_quotes_its_target(request: Request, response: Response) -> None:
    """The message of a 404 has the path and the query of its request."""
    if response.status == 404:
        target = f"{request.path}?{request.query}"
        response.send(response.fields | {"message": f"There is no {target}"})


@on.responses("embed@1", "HTTP-09 HTTP-10 HTTP-12 HTTP-32 HTTP-33")
def a_404_has_another_envelope(response: Response) -> None:
    """A 404 has only an `error` and a `message`."""
    if response.status == 404:
        fields = response.fields
        response.send({name: fields[name] for name in ("error", "message")})


@on.responses("embed@1", "HTTP-32")
def a_405_may_be_tried_again(response: Response) -> None:
    """The `retryable` of a 405 is true."""
    if response.status == 405:
        response.send(response.fields | {"retryable": True})


@on.replies("embed@1", "HTTP-17")
def a_405_is_empty_for_streams(request: Request, response: Response) -> None:
    """A 405 has no body if the client accepts events alone."""
    if response.status == 405 and "event-stream" in request.headers.get("accept", ""):
        response.send_bytes(b"")


@on.responses("embed@1", "HTTP-11 HTTP-12")
def a_404_has_no_request_id(response: Response) -> None:
    """A 404 has no X-Request-Id."""
    if response.status == 404:
        response.headers.pop("x-request-id")


@on.replies("embed@1", "HTTP-13")
def a_good_answer_has_an_id_of_its_own(request: Request, response: Response) -> None:
    """Only a failure has the X-Request-Id that the client sent."""
    if response.status == 200 and "x-request-id" in request.headers:
        response.headers["x-request-id"] += "-1"


@on.responses("embed@1", "HTTP-11 HTTP-13")
def answers_have_no_request_id(response: Response) -> None:
    """Good answers have no X-Request-Id."""
    if response.status == 200:
        response.headers.pop("x-request-id")


@on.responses("embed@1", "HTTP-11 HTTP-12 HTTP-13 HTTP-34", shows="http-500")
def failures_have_no_request_id(response: Response) -> None:
    """Failures have no X-Request-Id."""
    if response.status != 200:
        response.headers.pop("x-request-id")


@on.replies("embed@1", "HTTP-11 HTTP-12")
def an_empty_id_is_kept(request: Request, response: Response) -> None:
    """An empty X-Request-Id of the client is kept."""
    if request.headers.get("x-request-id") == "":
        response.headers["x-request-id"] = ""


@on.requests("embed@1", "HTTP-13")
def request_id_is_replaced(request: Request) -> None:
    """The client's X-Request-Id is replaced."""
    request.headers.pop("x-request-id", None)


@on.requests("embed@1", "HTTP-13")
def ids_begin_with_a_letter(request: Request) -> None:
    """An X-Request-Id that begins with a sign is replaced."""
    if request.headers.get("x-request-id", "")[:1] in {*"-._"}:
        del request.headers["x-request-id"]


@on.requests("embed@1", "HTTP-13")
def long_ids_are_replaced(request: Request) -> None:
    """An X-Request-Id of 64 characters is replaced."""
    if len(request.headers.get("x-request-id", "")) > 63:
        del request.headers["x-request-id"]


@on.requests("embed@1", "HTTP-13")
def only_plain_ids_are_kept(request: Request) -> None:
    """An X-Request-Id with a dot or an underscore is replaced."""
    if {*"._"} & {*request.headers.get("x-request-id", "")}:
        del request.headers["x-request-id"]


@on.requests("embed@1", "HTTP-13")
def ids_are_numbers(request: Request) -> None:
    """An X-Request-Id of digits is read as a number, without the zeros at its beginning."""
    given = request.headers.get("x-request-id", "")
    if given.isdecimal():
        request.headers["x-request-id"] = str(int(given))


_noted: set[str] = set()


@on.requests("embed@1", "HTTP-13")
def a_pattern_remembers_its_place(request: Request) -> None:
    """Every second one of equal requests in a row has another X-Request-Id."""
    given = request.headers.get("x-request-id", "")
    if given in _noted:
        del request.headers["x-request-id"]
    _noted.symmetric_difference_update({given} - {""})


@on.requests("embed@1", "HTTP-34")
def request_ids_are_all_the_same(request: Request) -> None:
    """All responses have the same X-Request-Id, unless the client sent one."""
    request.headers.setdefault("x-request-id", "request")


@on.requests("embed@1", "HTTP-34")
def request_ids_are_times(request: Request) -> None:
    """An X-Request-Id is the time in seconds, unless the client sent one."""
    request.headers.setdefault("x-request-id", str(int(time.time())))


@on.responses("embed@2", "HTTP-34")
def request_ids_are_the_upstreams(response: Response) -> None:
    """A good answer has the X-Request-Id of the upstream's."""
    if response.status == 200:
        response.headers["x-request-id"] = "conf-of-the-upstream"


@on.replies("infer@1", "HTTP-09 HTTP-10 HTTP-25 HTTP-32")
def letters_are_counted(request: Request, response: Response) -> None:
    """A failure that quotes a letter that is not ASCII is cut, because Content-Length counts letters."""
    if response.status == 400 and "k\u00f6nig".encode() in request.body:
        response.send_bytes(response.body[:-2])


_latest: list[str] = []


@on.replies("embed@1", "HTTP-12")
def ids_are_in_one_variable(request: Request, response: Response) -> None:
    """The envelope has the id of the request before."""
    if response.status == 400 and request.body == b'{"model_id": ':
        _latest.append(response.headers["x-request-id"])
        response.send(response.fields | {"request_id": _latest[-2:][0]})


def quote(request: Request, response: Response, *statuses: int) -> None:
    """Adds the request's headers to the message of a failure with one of the statuses."""
    if response.status in statuses:
        message = f"{response.fields['message']} {json.dumps(request.headers)}"
        response.send(response.fields | {"message": message})


def quoting(status: int) -> Callable[[Request, Response], None]:
    return lambda request, response: quote(request, response, status)


def ending_with(text: str) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        fields["message"] += text

    return play


on.failures("infer@1", "HTTP-16").table(
    ending_with,
    "The message ends with a line of a traceback, as {} writes it.",
    traceback_is_shown=("Python", ' File "/srv/app/main.py", line 12, in post'),
    dotnet_shows_its_source=("C#", r" at App.Post() in C:\src\Main.cs:line 12"),
    elixir_shows_its_source=("Elixir", " (app 0.1.0) lib/app/main.ex:12: Main.post/2"),
    rust_shows_its_source=("Rust", " panicked at src/main.rs:12:5"),
    swift_shows_its_source=("Swift", " Fatal error: file App/Main.swift, line 12"),
)


@on.gateway_failures("infer@2", "HTTP-36")
def upstream_failures_show_a_traceback(fields: Json) -> None:
    """The message of an upstream's failure ends with a line of a traceback, as Java writes it."""
    fields["message"] += " at app.Upstream.ask(Upstream.java:120)"


@on.failures("infer@2", "HTTP-36", shows="slow")
def late_upstreams_show_a_traceback(fields: Json) -> None:
    """The message about an upstream that is late ends with a line of a traceback."""
    if fields["status_code"] == 504:
        fields["message"] += ' File "/srv/app/upstream.py", line 12, in ask'


on.error_events("stream@2", "HTTP-36").sets(
    error_events_show_a_traceback=("message", 'File "/srv/app/upstream.py", line 12')
)


@on.replies("infer@1", "HTTP-16 HTTP-37", shows="http-500")
def token_is_shown(request: Request, response: Response) -> None:
    """The message quotes the request's headers."""
    quote(request, response, *range(400, 600))


on.replies("embed@1", "HTTP-37").table(
    quoting,
    "The message of a {} quotes the request's headers.",
    an_unknown_path_repeats_the_token=(404, 404),
    a_wrong_method_repeats_the_token=(405, 405),
    a_large_body_repeats_the_token=(413, 413),
    a_wrong_type_repeats_the_token=(415, 415),
    a_401_repeats_the_token=(401, 401),
)


@on.replies("embed@1", "HTTP-37")
def a_401_repeats_the_key(request: Request, response: Response) -> None:
    """The message of a 401 quotes the X-API-Key of its request."""
    if "x-api-key" in request.headers:
        quote(request, response, 401)


@on.replies("embed@2", "HTTP-36", shows="http-500")
def upstream_failures_repeat_the_token(request: Request, response: Response) -> None:
    """The message of an upstream's failure quotes the request's headers."""
    quote(request, response, *GATEWAY)


@on.replies("embed@1", "HTTP-37")
def a_header_repeats_the_token(request: Request, response: Response) -> None:
    """A good answer has the API token in a header."""
    if response.status == 200:
        response.headers["x-client"] = request.headers.get("authorization", "")


@on.replies("embed@1", "HTTP-37")
def parsers_are_quoted(request: Request, response: Response) -> None:
    """The message about a body that is not JSON quotes ten characters of it."""
    if response.status == 400 and request.body:
        place = _fault_in(request.body.decode(errors="replace"))
        response.send(response.fields | {"message": f"Unexpected: {place}"})


def _fault_in(text: str) -> str:
    """The first characters that are not JSON."""
    try:
        json.loads(text)
    except ValueError as ex:
        return text[getattr(ex, "pos", 0) :][:10]
    return "a value"


@on.replies("embed@1", "HTTP-37")
def wrong_values_are_quoted(request: Request, response: Response) -> None:
    """The message about a field of the wrong type quotes its value."""
    if response.status == 400 and request.fields.get("input"):
        response.send(response.fields | {"message": f"Not text: {request.fields}"})


@on.replies("infer@1", "HTTP-37")
def wrong_parameters_are_quoted(request: Request, response: Response) -> None:
    """The message about a wrong parameter quotes the parameters."""
    if response.status == 400 and request.fields.get("parameters"):
        message = f"Wrong: {request.fields['parameters']}"
        response.send(response.fields | {"message": message})


@on.replies("infer@1", "HTTP-37")
def wrong_roles_are_quoted(request: Request, response: Response) -> None:
    """The message about a wrong role quotes it."""
    roles = [str(each.get("role")) for each in messages_in(request.fields)]
    if response.status == 400 and roles:
        response.send(response.fields | {"message": f"No role: {roles[0][:40]}"})


_refused: set[str] = set()


@on.replies("embed@2", "HTTP-36", shows=None)
def every_second_refusal_is_quoted(request: Request, response: Response) -> None:
    """Every second refusal quotes the upstream's message, with its path."""
    if "400-path" in request.scenario:
        _refused.symmetric_difference_update({request.scenario})
        if request.scenario not in _refused:
            response.send({**response.fields, "message": "no file /seed.py"})


@on.requests("embed@1", "HTTP-34")
def ids_are_those_of_a_trace(request: Request) -> None:
    """A request without an X-Request-Id has the id of its trace."""
    if trace := request.headers.get("traceparent"):
        request.headers.setdefault("x-request-id", trace)


_ids: list[str] = []


@on.requests("embed@1", "HTTP-34")
def an_id_stays_on_its_connection(request: Request) -> None:
    """A request without an X-Request-Id has the one that an earlier request on its connection sent."""
    if given := request.headers.get("x-request-id"):
        _ids[:] = [given]
    elif request.nth > 1 and _ids:
        request.headers["x-request-id"] = _ids[0]
