"""Batches that clients cannot read, and batches that run wrongly. What becomes of their inputs is in batch_inputs.py."""

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Client, Json, Request, Response, Server
from octomil_conformance.server.mutants.gateway import fail_both
from octomil_conformance.server.on import GONE


@on.responses(
    "batch@1", "BATCH-01 BATCH-06 BATCH-11 HTTP-08 HTTP-18 HTTP-19 HTTP-23 HTTP-28"
)
def batch_is_multi_status(response: Response) -> None:
    """A good answer has the status 207."""
    if response.status == 200:
        response.status = 207


on.answers("batch@0", "BATCH-04").sets(failed_is_missing=("failed", None))
on.answers("batch@0", "BATCH-05").sets(batch_has_no_latency=("latency_ms", GONE))


@on.answers("batch@0", "BATCH-01 BATCH-02 BATCH-04")
def results_are_by_index(fields: Json) -> None:
    """`results` is an object with the indices as names."""
    fields["results"] = {str(each["index"]): each for each in fields["results"]}


@on.answers("batch@0", "BATCH-02")
def index_counts_from_one(fields: Json) -> None:
    """`index` starts at 1."""
    for result in fields["results"]:
        result["index"] += 1


@on.answers("batch@0", "BATCH-02 BATCH-04")
def last_result_is_missing(fields: Json) -> None:
    """The last result is left out."""
    del fields["results"][-1]


@on.answers("batch@0", "BATCH-03")
def result_has_no_provider(fields: Json) -> None:
    """The first result has no `provider`."""
    fields["results"][0].pop("provider", None)


@on.answers("batch@2", "BATCH-03 BATCH-21 BATCH-26 HTTP-25", shows="http-500")
def error_is_a_word(fields: Json) -> None:
    """The `error` of a failed input is a string."""
    for result in fields["results"]:
        if "error" in result:
            result["error"] = result["error"]["message"]


@on.answers("batch@0", "BATCH-04")
def succeeded_counts_all(fields: Json) -> None:
    """`succeeded` is one too high."""
    fields["succeeded"] += 1


@on.answers("batch@0", "BATCH-05")
def batch_has_another_model(fields: Json) -> None:
    """`model_id` is the upstream's name of the model."""
    fields["model_id"] += ":latest"


@on.answers("batch@1", "BATCH-03 BATCH-06 HTTP-25")
def second_result_is_null(fields: Json) -> None:
    """The `output` of the last input is null."""
    fields["results"][-1]["output"] = None


@on.answers(
    "batch@2", "BATCH-20 BATCH-21 BATCH-23 BATCH-26 BATCH-27 BATCH-29 BATCH-36 BATCH-37"
)
def results_are_backwards(fields: Json) -> None:
    """The results are in reverse order."""
    fields["results"].reverse()
    for index, result in enumerate(fields["results"]):
        result["index"] = index


@on.responses(
    "batch@2", "BATCH-01 BATCH-02 BATCH-04 BATCH-05 BATCH-21 BATCH-26", shows="http-500"
)
def batch_all_or_nothing(response: Response) -> None:
    """One failing input fails the whole batch."""
    if errors := errors_in(response.fields):
        response.status = errors[0]["status_code"]
        response.send(errors[0])


def errors_in(fields: Json) -> list[Json]:
    return [each["error"] for each in fields.get("results", ()) if "error" in each]


def bounded(fields: Json, bound: int) -> None:
    """Replaces a valid `max_concurrency`."""
    if type(fields.get("max_concurrency")) is int and fields["max_concurrency"] > 0:
        fields["max_concurrency"] = bound


_failures: list[int] = []


@on.answers("batch@2", "BATCH-21 BATCH-31", shows="empty")
def empty_outputs_count_as_failures(fields: Json) -> None:
    """A result with an empty output counts as a failure."""
    empty = sum(each.get("output") == "" for each in fields["results"])
    fields["succeeded"] -= empty
    fields["failed"] += empty


@on.layer("batch@2", "BATCH-21", shows=None)
def batches_share_their_counters(request: Request, server: Server) -> Response:
    """`failed` counts the failures of other batches at the same time too. Only the scenario `gated` shows it."""
    before = sum(_failures)
    response = server(request)
    _failures.append(response.fields.get("failed", 0))
    if request.played == "gated" and response.status == 200:
        response.send(response.fields | {"failed": sum(_failures) - before})
    return response


@on.bodies("batch@2", "BATCH-29 BATCH-33", shows=None)
def thirty_two_inputs_are_run(fields: Json) -> None:
    """Only the first 32 inputs are run."""
    if isinstance(fields.get("inputs"), list):
        fields["inputs"] = fields["inputs"][:32]


@on.requests("batch@2", "BATCH-22 BATCH-23", shows=None)
def batch_unbounded(request: Request) -> None:
    """`max_concurrency` is ignored: all inputs run at once. Only the scenario `gated` shows it, because others depend on when the client leaves."""
    fields = request.fields
    if request.played == "gated" and fields:
        bounded(fields, 32)
        request.send(fields)


@on.bodies("batch@2", "BATCH-23", shows=None)
def batch_serial(fields: Json) -> None:
    """A batch runs one input at a time."""
    bounded(fields, 1)


def parts_of(fields: Json, size: int) -> list[Json]:
    """Batches of `size` inputs, if the fields are a valid batch of more."""
    inputs = fields.get("inputs")
    if not isinstance(inputs, list) or len(inputs) <= size:
        return [fields]
    places = range(0, len(inputs), size)
    return [{**fields, "inputs": inputs[n : n + size]} for n in places]


def in_parts(request: Request, server: Server, size: int) -> Response:
    """Answers one part after the other, and joins their results."""
    parts = parts_of(request.fields, size)
    responses = [server(dataclasses.replace(request).send(part)) for part in parts]
    whole = responses[0]
    if len(parts) > 1 and all(each.status == 200 for each in responses):
        results = [each for one in responses for each in one.fields["results"]]
        numbered = [{**each, "index": n} for n, each in enumerate(results)]
        failed = sum("error" in each for each in results)
        counts = {"failed": failed, "succeeded": len(results) - failed}
        whole.send({**whole.fields, "results": numbered, **counts})
    return whole


@on.layer("batch@2", "BATCH-23", shows=None)
def batches_run_in_waves(request: Request, server: Server) -> Response:
    """The next three inputs begin only when the previous three are all done."""
    return in_parts(request, server, 3)


@on.bodies("batch@2", "BATCH-23", shows=None)
def long_batches_are_serial(fields: Json) -> None:
    """A batch of more than six inputs runs one at a time."""
    if len(fields.get("inputs") or ()) > 6:
        bounded(fields, 1)


@on.layer("batch@2", "BATCH-23 BATCH-29 BATCH-33 BATCH-36", shows=None)
def eight_inputs_are_read(request: Request, server: Server) -> Response:
    """Only the first eight inputs are read."""
    return server(request.send(parts_of(request.fields, 8)[0]))


@on.responses("batch@2", "BATCH-21", shows="slow")
def a_time_out_fails_all(response: Response) -> None:
    """One input that is late fails the whole batch."""
    errors = errors_in(response.fields)
    if late := [each for each in errors if each["status_code"] == 504]:
        response.status = 504
        response.send(late[0])


@on.answers("batch@2", "BATCH-21", shows=None)
def a_time_out_empties_the_next(fields: Json) -> None:
    """The input after one that is late has an empty output."""
    for one, following in pairwise(fields["results"]):
        if field(one, "error", "status_code") == 504 and "output" in following:
            following["output"] = ""


def field(fields: Json, *names: str) -> object:
    """The value at this path of names, or None."""
    value: object = fields
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def changing_errors(name: str, value: object) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        for error in errors_in(fields):
            error[name] = value

    return play


on.answers("batch@2", "BATCH-26", shows="missing").table(
    changing_errors,
    "Every failed input has the {}.",
    inputs_fail_with_one_status=("status 502", "status_code", 502),
    failed_inputs_are_retryable=("`retryable` true", "retryable", True),
    inputs_fail_with_one_code=("code `inference_failed`", "code", "inference_failed"),
)


@on.answers("batch@2", "BATCH-27", shows=None)
def results_name_one_provider(fields: Json) -> None:
    """The `provider` of every result is `ollama`."""
    for each in fields["results"]:
        if "provider" in each:
            each["provider"] = "ollama"


@on.scenarios("batch@2", "BATCH-27")
def batches_have_no_fallback(scenario: str) -> str:
    """If Ollama fails, an input of a batch has failed."""
    return fail_both(scenario, "500", "slow", "garbage", "missing")


@on.requests("batch@2", "BATCH-28", shows=None)
def a_batch_goes_on_without_its_client(request: Request) -> None:
    """A batch goes on after its client has left."""
    request.client = Client()


@on.answers("batch@2", "BATCH-32", shows="auth")
def failed_inputs_show_the_key(fields: Json) -> None:
    """The message of a failed input shows the server's own key."""
    for error in errors_in(fields):
        error["message"] = "Incorrect API key provided: conf-key."


@on.layer("batch@2", "BATCH-33", shows=None)
def five_hundred_inputs_are_read(request: Request, server: Server) -> Response:
    """Only the first five hundred inputs are read."""
    return server(request.send(parts_of(request.fields, 500)[0]))


@on.answers("batch@2", "BATCH-31", shows="empty")
def empty_outputs_are_failures(fields: Json) -> None:
    """An input whose answer is empty has failed."""
    failure = Failure("bad_gateway", "The answer is empty.").envelope()
    for result in fields["results"]:
        if result.get("output") == "":
            fail(fields, result, failure)


def fail(fields: Json, result: Json, error: Json) -> None:
    """Puts a failure in place of the output of a result."""
    del result["output"]
    result["error"] = error
    fields["failed"] += 1
    fields["succeeded"] -= 1


@on.answers("batch@2", "BATCH-38")
def counts_are_added_up(fields: Json) -> None:
    """`usage` of a result includes the tokens of the results before it."""
    counts: Counter[str] = Counter()
    for result in fields["results"]:
        counts.update(result.get("usage", {}))
        result |= {"usage": dict(counts)} if "usage" in result else {}


@on.answers("batch@2", "BATCH-38")
def latencies_are_those_of_the_batch(fields: Json) -> None:
    """`latency_ms` of a result is that of the batch."""
    for result in fields["results"]:
        result |= {"latency_ms": fields["latency_ms"]} if "output" in result else {}


_first: list[Json] = []


@on.answers("batch@2", "BATCH-23", shows=None)
def batches_share_their_results(fields: Json) -> None:
    """Each batch with four inputs has the results of the first one."""
    if len(fields["results"]) == 4 and "output" in fields["results"][0]:
        _first.extend(() if _first else fields["results"])
        fields["results"] = _first


@on.layer("batch@2", "BATCH-37", shows=None)
def a_batch_has_one_timeout(request: Request, server: Server) -> Response:
    """If inputs run one at a time, they have one timeout together."""
    began = time.monotonic()
    response = server(request)
    if request.fields.get("max_concurrency") == 1 and time.monotonic() > began + 1:
        failure = Failure("gateway_timeout", "The batch took too long.").envelope()
        results = response.fields["results"]
        results[-1] = {"index": len(results) - 1, "error": failure}
        counts = {"succeeded": len(results) - 1, "failed": 1}
        response.send(response.fields | counts | {"results": results})
    return response


@on.layer("batch@2", "BATCH-37", shows=None)
def a_batch_has_twelve_seconds(request: Request, server: Server) -> Response:
    """The connection breaks off if a batch takes more than twelve seconds."""
    began = time.monotonic()
    response = server(request)
    if time.monotonic() > began + 12:
        raise ConnectionError
    return response


@on.answers("batch@2", "BATCH-21", shows=None)
def a_rate_limit_spreads(fields: Json) -> None:
    """All inputs after one that is rate limited fail in the same way."""
    limit = None
    for result in fields["results"]:
        if field(result, "error", "status_code") == 429:
            limit = result["error"]
        if limit and "output" in result:
            fail(fields, result, limit)


@on.answers("batch@2", "BATCH-21", shows=None)
def failures_end_workers(fields: Json) -> None:
    """After twenty failures the other inputs of a batch are not run."""
    failed = 0
    for result in fields["results"]:
        if failed >= 20 and "output" in result:
            result["output"] = None
        failed += "error" in result


_bounds: list[int] = []


@on.layer("batch@2", "BATCH-23", shows=None)
def batches_share_a_bound(request: Request, server: Server) -> Response:
    """Two batches at once both run with the smaller `max_concurrency` of the two."""
    fields = request.fields
    bound = fields.get("max_concurrency")
    if len(fields.get("inputs") or ()) != 4 or type(bound) is not int:
        return server(request)
    _bounds.append(bound)
    try:
        return server(request.send(fields | {"max_concurrency": min(_bounds)}))
    finally:
        _bounds.remove(bound)


@on.replies("batch@2", "BATCH-31", shows=None)
def half_an_output_is_a_500(request: Request, response: Response) -> None:
    """A batch fails as a whole if one output has half a character."""
    if "\\ufffd" in response.body.decode():
        response.send({}).fail(500)
