"""Single answers that clients cannot read, or that differ from the model's."""

import json
import re
import threading
import unicodedata
from contextlib import nullcontext, suppress
from typing import Any

from octomil_conformance.backend import THOUGHTS
from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import (
    Client,
    Json,
    Layer,
    Request,
    Response,
    Server,
)
from octomil_conformance.server.on import GONE

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 4}


@on.responses("infer@1", "INFER-01 REQ-01..06 HTTP-08 HTTP-18 HTTP-19 HTTP-23 HTTP-28")
def infer_is_created(response: Response) -> None:
    """A good answer has the status 201."""
    if response.status == 200:
        response.status = 201


on.answers("infer@0", "INFER-02").sets(output_is_null=("output", None))
on.answers("infer@0", "INFER-03").sets(
    latency_is_text=("latency_ms", "812.4 ms"),
    latency_is_negative=("latency_ms", -1.5),
    latency_is_missing=("latency_ms", GONE),
)
on.answers("infer@0", "INFER-04").sets(
    provider_is_missing=("provider", GONE), provider_is_empty=("provider", "")
)
on.answers("infer@0", "INFER-06").sets(
    finish_reason_is_made_up=("finish_reason", "eos_token")
)


@on.answers("infer@0", "INFER-07")
def usage_does_not_add_up(fields: Json) -> None:
    """`total_tokens` is not the sum of the other counts."""
    fields["usage"] = USAGE


on.answers("infer@2", "INFER-10").sets(
    finish_reason_is_always_stop=("finish_reason", "stop")
)


@on.answers("infer@0", "INFER-01 INFER-02 INFER-03 INFER-04 INFER-05")
def infer_is_an_array(fields: Json) -> object:
    """The answer is an array around the object."""
    return [fields]


@on.answers("infer@0", "INFER-02")
def output_is_called_text(fields: Json) -> None:
    """The text is in `text`, not in `output`."""
    fields["text"] = fields.pop("output")


@on.answers("infer@0", "INFER-05")
def model_is_the_upstreams(fields: Json) -> None:
    """`model_id` is the upstream's name of the model."""
    fields["model_id"] += ":latest"


@on.answers("infer@2", "INFER-08", shows="unicode")
def output_is_normalized(fields: Json) -> None:
    """The model's text is changed to another Unicode form."""
    fields["output"] = unicodedata.normalize("NFC", fields["output"])


@on.answers("infer@2", "INFER-09", shows="empty")
def empty_output_is_filled(fields: Json) -> None:
    """An empty answer is replaced by a placeholder."""
    fields["output"] = fields["output"] or "(empty)"


@on.responses("infer@2", "INFER-01..05 INFER-09", shows="empty")
def empty_output_is_a_failure(response: Response) -> None:
    """An empty answer of the model is answered with 502."""
    if response.status == 200 and response.fields["output"] == "":
        failure = Failure("bad_gateway", "The answer is empty.")
        response.status = failure.status
        response.send(failure.envelope())


@on.answers("infer@2", "INFER-08")
def output_is_parsed(fields: Json) -> None:
    """Text that is JSON is sent as its value."""
    with suppress(ValueError):
        fields["output"] = json.loads(fields["output"])


@on.replies("infer@2", "INFER-08")
def output_in_a_format_is_parsed(request: Request, response: Response) -> None:
    """If the client asks for JSON, the text is sent as its value."""
    given = request.fields.get("parameters")
    if isinstance(given, dict) and given.keys() & {"format", "response_format"}:
        with suppress(ValueError, KeyError):
            fields = response.fields
            response.send(fields | {"output": json.loads(fields["output"])})


@on.answers("infer@2", "INFER-08")
def fences_are_removed(fields: Json) -> None:
    """A fence around the text is removed."""
    fields["output"] = fields["output"].removeprefix("```json\n").removesuffix("\n```")


@on.answers("infer@2", "INFER-12 FALLBACK-14")
def latency_is_in_seconds(fields: Json) -> None:
    """`latency_ms` is in seconds."""
    fields["latency_ms"] /= 1000


@on.answers("infer@2", "INFER-12 FALLBACK-14")
def latency_is_in_microseconds(fields: Json) -> None:
    """`latency_ms` is in microseconds."""
    fields["latency_ms"] *= 1000


@on.replies("infer@2", "INFER-13", shows="thinking")
def reasoning_is_output(request: Request, response: Response) -> None:
    """The model's reasoning is part of `output`."""
    if request.played == "thinking" and response.status == 200:
        output = "".join(THOUGHTS) + response.fields["output"]
        response.send({**response.fields, "output": output})


_one_at_a_time = threading.Lock()


@on.layer("infer@2", "INFER-14", shows=None)
def requests_wait_for_each_other(request: Request, server: Server) -> Response:
    """Only one request is answered at a time."""
    if "gated" not in request.scenario:
        return server(request)
    with _one_at_a_time:
        return server(request)


@on.layer("infer@2", "INFER-14", shows=None)
def requests_of_one_session_wait(request: Request, server: Server) -> Response:
    """Requests with the same cookie wait for each other, as with PHP's sessions."""
    is_held = "gated" in request.scenario and "cookie" in request.headers
    with _one_at_a_time if is_held else nullcontext():
        response = server(request)
    if "echo" in str(request.fields.get("model_id")):
        response.headers["set-cookie"] = "id=7; path=/"
    return response


_latest: Json = {}


@on.replies("infer@2", "INFER-14", shows=None)
def requests_share_their_answer(request: Request, response: Response) -> None:
    """Simultaneous requests all get the answer to one of them."""
    if "gated" in request.scenario and response.status == 200:
        _latest.setdefault("output", response.fields["output"])
        response.send({**response.fields, **_latest})


_newest: dict[bytes, Request] = {}


def check_of(request: Request) -> bytes:
    """Names the check that sends the request: the beginning of the tag in its prompt."""
    tag = re.search(rb"\[conf \w+", request.body)
    return tag[0] if tag else b""


def may_show(request: Request, response: Response) -> bool:
    return "gated" in request.scenario or response.status >= 400


def of_the_newest(name: str, value: Any) -> Layer:
    """If a newer request of the same check came meanwhile, the field has this value. Only failures and scenarios with a gate show it."""

    def play(request: Request, server: Server) -> Response:
        check = check_of(request)
        _newest[check] = request
        response = server(request)
        if check and _newest[check] is not request and may_show(request, response):
            response.send(response.fields | {name: value})
        return response

    return play


NEWEST = "{} is that of the request that came last."
on.layer("infer@2", "INFER-14", shows=None).table(
    of_the_newest,
    NEWEST,
    the_newest_model_is_named=("`model_id`", "model_id", "conf-echo"),
    the_newest_request_is_named=("`request_id`", "request_id", "newest"),
)
on.layer("infer@2", "INFER-12", shows=None).table(
    of_the_newest,
    NEWEST,
    latency_begins_with_the_newest_request=(
        "The beginning of `latency_ms`",
        "latency_ms",
        1.5,
    ),
)
on.layer("infer@2", "INFER-11", shows=None).table(
    of_the_newest,
    NEWEST,
    the_newest_counts_are_reported=("`usage`", "usage", USAGE),
)
on.layer("infer@2", "FALLBACK-08", shows=None).table(
    of_the_newest,
    NEWEST,
    the_newest_provider_is_named=("`provider`", "provider", "newest"),
)


_left: list[bool] = []


@on.layer("infer@2", "INFER-14", shows=None)
def places_are_lost(request: Request, server: Server) -> Response:
    """Each client that hangs up takes one of twenty places with it."""
    if sum(_left) > 20:
        raise ConnectionError
    try:
        return server(request)
    finally:
        _left.append(request.client.has_left)


@on.requests("infer@2 stream@2", "INFER-15", shows=None)
def clients_that_leave_are_not_noticed(request: Request) -> None:
    """A request goes on after its client has left."""
    request.client = Client()
