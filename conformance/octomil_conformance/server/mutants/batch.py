"""Batches that clients cannot read, and batches that run wrongly."""

import dataclasses

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.subjects import (
    GONE,
    answers,
    bodies,
    failures,
    layer,
    responses,
    statuses,
)

MALFORMED = {"messages": [{"role": "user"}]}

statuses("batch@1", "BATCH-01", "BATCH-06", "BATCH-11", "HTTP-08", "HTTP-18", "HTTP-19", "HTTP-23", "HTTP-28", batch_is_multi_status=207)  # fmt: skip
answers.sets("batch@0", "BATCH-04", failed_is_missing=("failed", None))
answers.sets("batch@0", "BATCH-05", batch_has_no_latency=("latency_ms", GONE))


@answers("batch@0", "BATCH-01", "BATCH-02", "BATCH-04")
def results_are_by_index(fields: Json) -> None:
    """`results` is an object with the indices as names."""
    fields["results"] = {str(each["index"]): each for each in fields["results"]}


@answers("batch@0", "BATCH-02")
def index_counts_from_one(fields: Json) -> None:
    """`index` starts at 1."""
    for result in fields["results"]:
        result["index"] += 1


@answers("batch@0", "BATCH-02", "BATCH-04")
def last_result_is_missing(fields: Json) -> None:
    """The last result is left out."""
    del fields["results"][-1]


@answers("batch@0", "BATCH-03")
def result_has_no_provider(fields: Json) -> None:
    """The first result has no `provider`."""
    fields["results"][0].pop("provider", None)


@answers("batch@2", "BATCH-03", "BATCH-21", shows="http-500")
def error_is_a_word(fields: Json) -> None:
    """The `error` of a failed input is a string."""
    for result in fields["results"]:
        if "error" in result:
            result["error"] = result["error"]["message"]


@answers("batch@0", "BATCH-04")
def succeeded_counts_all(fields: Json) -> None:
    """`succeeded` is one too high."""
    fields["succeeded"] += 1


@answers("batch@0", "BATCH-05")
def batch_has_another_model(fields: Json) -> None:
    """`model_id` is the upstream's name of the model."""
    fields["model_id"] += ":latest"


@bodies("batch@1", "BATCH-06")
def input_data_is_not_known(fields: Json) -> None:
    """`input_data` is refused if the first input has `messages`."""
    inputs = fields.get("inputs")
    if isinstance(inputs, list) and inputs and "messages" in inputs[0]:
        inputs[1:] = [each if "messages" in each or not each else MALFORMED for each in inputs[1:]]  # fmt: skip


@answers("batch@1", "BATCH-03", "BATCH-06", "HTTP-25")
def second_result_is_null(fields: Json) -> None:
    """The `output` of the last input is null."""
    fields["results"][-1]["output"] = None


@bodies("batch@1", "BATCH-07")
def no_inputs_are_one(fields: Json) -> None:
    """`inputs` that are empty or no array become one input."""
    inputs = fields.get("inputs")
    is_good = isinstance(inputs, list) and inputs
    if "model_id" in fields and "inputs" in fields and not is_good:
        fields["inputs"] = [{"input_data": "Hi"}]


failures.sets(
    *("batch@1", "BATCH-08"),
    malformed_input_is_not_named=("message", "Validation failed."),
    shows="echo",
)


@responses("batch@2", "BATCH-08", "BATCH-24")
def a_malformed_input_is_not_found(response: Response) -> None:
    """A malformed input is answered with 404."""
    if response.status == 400 and b"inputs[1]" in response.body:
        response.fail(404)


def without_malformed(fields: Json) -> None:
    inputs = fields.get("inputs")
    if isinstance(inputs, list):
        fields["inputs"] = [each for each in inputs if each != MALFORMED]


@bodies("batch@1", "BATCH-08")
def malformed_inputs_are_passed_over(fields: Json) -> None:
    """A malformed input is silently dropped."""
    without_malformed(fields)


@bodies("batch@2", "BATCH-08", "BATCH-24")
def malformed_inputs_are_dropped(fields: Json) -> None:
    """A malformed input is dropped, and the others run."""
    without_malformed(fields)


@bodies("batch@1", "BATCH-09", "HTTP-01", "HTTP-09", "HTTP-10", "HTTP-32")
def batch_has_a_default_model(fields: Json) -> None:
    """A batch without `model_id` runs on a default model."""
    fields.setdefault("model_id", "conf-echo")


@bodies("batch@1", "BATCH-10")
def odd_max_concurrency_is_one(fields: Json) -> None:
    """An invalid `max_concurrency` counts as 1."""
    value = fields.get("max_concurrency")
    if value is not None and (type(value) is not int or value < 1):
        fields["max_concurrency"] = 1


@bodies("batch@1", "BATCH-11")
def large_max_concurrency_is_refused(fields: Json) -> None:
    """A large `max_concurrency` is refused."""
    if fields.get("max_concurrency") == 100_000:
        fields["max_concurrency"] = 0


@answers("batch@2", "BATCH-20", "BATCH-21")
def results_are_backwards(fields: Json) -> None:
    """The results are in reverse order."""
    fields["results"].reverse()
    for index, result in enumerate(fields["results"]):
        result["index"] = index


@responses("batch@2", "BATCH-01", "BATCH-02", "BATCH-04", "BATCH-05", "BATCH-21", shows="http-500")  # fmt: skip
def batch_all_or_nothing(response: Response) -> None:
    """One failing input fails the whole batch."""
    results = response.fields.get("results", ())
    errors = [each["error"] for each in results if "error" in each]
    if errors:
        response.status = errors[0]["status_code"]
        response.send(errors[0])


def bounded(fields: Json, bound: int) -> None:
    """Replaces a valid `max_concurrency`."""
    if type(fields.get("max_concurrency")) is int and fields["max_concurrency"] > 0:
        fields["max_concurrency"] = bound


@bodies("batch@2", "BATCH-22", shows=None)
def batch_unbounded(fields: Json) -> None:
    """`max_concurrency` is ignored: all inputs run at once."""
    bounded(fields, 32)


@bodies("batch@2", "BATCH-23", shows=None)
def batch_serial(fields: Json) -> None:
    """A batch runs one input at a time."""
    bounded(fields, 1)


@layer("batch@2", "BATCH-24", shows=None)
def good_inputs_run_first(request: Request, server: Server) -> Response:
    """The good inputs run although another one is malformed."""
    fields = request.fields
    without_malformed(fields)
    if fields.get("inputs") != request.fields.get("inputs"):
        again = dataclasses.replace(request).send(fields)
        b"".join(server(again).pieces)
    return server(request)


@bodies("batch@2", "BATCH-25")
def own_parameters_are_lost(fields: Json) -> None:
    """The own parameters of an input are ignored."""
    for each in fields.get("inputs") or ():
        if isinstance(each, dict):
            each.pop("parameters", None)


@bodies("batch@2", "BATCH-25")
def own_parameters_replace_all(fields: Json) -> None:
    """The own parameters of an input replace all parameters of the batch."""
    inputs = [each for each in fields.get("inputs") or () if isinstance(each, dict)]
    if any("parameters" in each for each in inputs):
        common = fields.pop("parameters", {})
        for each in inputs:
            each.setdefault("parameters", common)
