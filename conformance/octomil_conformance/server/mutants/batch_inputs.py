"""Inputs of batches that are refused, accepted or sent to the model wrongly, and their parameters."""

import dataclasses
import json
from itertools import chain

from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Json,
    Layer,
    Request,
    Response,
    Server,
    messages_in,
    parameters_in,
)

MALFORMED = {"messages": [{"role": "user"}]}


def inputs_in(fields: Json) -> list[Json]:
    """The inputs that are objects."""
    return [each for each in fields.get("inputs") or () if isinstance(each, dict)]


@on.bodies("batch@1", "BATCH-06")
def input_data_is_not_known(fields: Json) -> None:
    """`input_data` is refused if the first input has `messages`."""
    inputs = fields.get("inputs")
    if isinstance(inputs, list) and inputs and "messages" in inputs[0]:
        inputs[1:] = [
            each if "messages" in each or not each else MALFORMED for each in inputs[1:]
        ]


@on.bodies("batch@1", "BATCH-07")
def no_inputs_are_one(fields: Json) -> None:
    """`inputs` that are empty or not an array become one input."""
    inputs = fields.get("inputs")
    is_good = isinstance(inputs, list) and inputs
    if "model_id" in fields and "inputs" in fields and not is_good:
        fields["inputs"] = [{"input_data": "Hi"}]


on.failures("batch@1", "BATCH-08 BATCH-35", shows="echo").sets(
    malformed_input_is_not_named=("message", "Validation failed.")
)


@on.responses("batch@2", "BATCH-08 BATCH-24 BATCH-35")
def a_malformed_input_is_not_found(response: Response) -> None:
    """A malformed input is answered with 404."""
    if response.status == 400 and b"inputs[" in response.body:
        response.fail(404)


def without_malformed(fields: Json) -> None:
    inputs = fields.get("inputs")
    if isinstance(inputs, list):
        fields["inputs"] = [each for each in inputs if each != MALFORMED]


@on.bodies("batch@1", "BATCH-08")
def malformed_inputs_are_passed_over(fields: Json) -> None:
    """A malformed input is silently dropped."""
    without_malformed(fields)


@on.bodies("batch@2", "BATCH-08 BATCH-24")
def malformed_inputs_are_dropped(fields: Json) -> None:
    """A malformed input is dropped, and the others run."""
    without_malformed(fields)


@on.bodies("batch@1", "BATCH-09 HTTP-01 HTTP-27")
def batch_has_a_default_model(fields: Json) -> None:
    """A batch without `model_id` runs on a default model."""
    fields.setdefault("model_id", "conf-echo")


@on.bodies("batch@1", "BATCH-10")
def odd_max_concurrency_is_one(fields: Json) -> None:
    """An invalid `max_concurrency` counts as 1."""
    value = fields.get("max_concurrency")
    if value is not None and (type(value) is not int or value < 1):
        fields["max_concurrency"] = 1


@on.bodies("batch@1", "BATCH-11")
def large_max_concurrency_is_refused(fields: Json) -> None:
    """A large `max_concurrency` is refused."""
    if fields.get("max_concurrency") == 100_000:
        fields["max_concurrency"] = 0


@on.bodies("batch@1", "BATCH-11")
def max_concurrency_has_32_bits(fields: Json) -> None:
    """A `max_concurrency` of more than 32 bits is refused."""
    value = fields.get("max_concurrency")
    if type(value) is int and value > 2**31 - 1:
        fields["max_concurrency"] = 0


@on.layer("batch@2", "BATCH-24", shows=None)
def good_inputs_run_first(request: Request, server: Server) -> Response:
    """The good inputs run although another one is malformed."""
    fields = request.fields
    without_malformed(fields)
    if fields.get("inputs") != request.fields.get("inputs"):
        again = dataclasses.replace(request).send(fields)
        b"".join(server(again).pieces)
    return server(request)


@on.bodies("batch@2", "BATCH-08 BATCH-24 BATCH-25 BATCH-35 BATCH-36")
def own_parameters_are_lost(fields: Json) -> None:
    """The own parameters of an input are ignored."""
    for each in inputs_in(fields):
        each.pop("parameters", None)


@on.bodies("batch@2", "BATCH-25")
def own_parameters_replace_all(fields: Json) -> None:
    """The own parameters of an input replace all parameters of the batch."""
    inputs = inputs_in(fields)
    if any("parameters" in each for each in inputs):
        common = fields.pop("parameters", {})
        for each in inputs:
            each.setdefault("parameters", common)


@on.bodies("batch@2", "BATCH-08 BATCH-24")
def own_parameters_are_not_checked(fields: Json) -> None:
    """Parameters of an input that are out of range are ignored."""
    for each in inputs_in(fields):
        if parameters_in(each) == {"temperature": "hot"}:
            del each["parameters"]


@on.bodies("batch@1", "BATCH-35")
def seeds_of_inputs_are_not_checked(fields: Json) -> None:
    """A seed of an input that is not an integer counts as missing."""
    for own in map(parameters_in, inputs_in(fields)):
        if type(own.get("seed")) is not int:
            own.pop("seed", None)


@on.bodies("batch@1", "BATCH-35")
def roles_of_inputs_are_not_checked(fields: Json) -> None:
    """Any role in a message of an input counts as `user`."""
    for message in chain.from_iterable(map(messages_in, inputs_in(fields))):
        message["role"] = "user"


@on.bodies("batch@2", "BATCH-36")
def objects_in_inputs_are_json(fields: Json) -> None:
    """An object as `input_data` of an input is always JSON text."""
    for each in inputs_in(fields):
        if isinstance(each.get("input_data"), dict):
            each["input_data"] = json.dumps(each["input_data"])


@on.bodies("batch@2", "BATCH-36")
def values_in_inputs_are_text(fields: Json) -> None:
    """A value as `input_data` of an input is written as Python writes it."""
    for each in inputs_in(fields):
        if isinstance(each.get("input_data"), bool | int):
            each["input_data"] = str(each["input_data"])


@on.bodies("batch@2", "BATCH-36")
def parts_of_inputs_are_not_joined(fields: Json) -> None:
    """Only the first part of a message of an input is read."""
    for message in chain.from_iterable(map(messages_in, inputs_in(fields))):
        if isinstance(message.get("content"), list):
            del message["content"][1:]


@on.bodies("batch@2", "BATCH-35 BATCH-36")
def parameters_of_inputs_are_two(fields: Json) -> None:
    """Only temperature and max_tokens are read from an input."""
    for own in map(parameters_in, inputs_in(fields)):
        for name in {*own} - {"temperature", "max_tokens"}:
            del own[name]


@on.bodies("batch@2", "BATCH-08 BATCH-24")
def strings_are_inputs(fields: Json) -> None:
    """A string counts as an input."""
    if isinstance(inputs := fields.get("inputs"), list):
        fields["inputs"] = [
            {"input_data": each} if isinstance(each, str) else each for each in inputs
        ]


@on.bodies("batch@2", "BATCH-25")
def nulls_undo_common_parameters(fields: Json) -> None:
    """A null parameter of an input removes the batch's parameter of that name."""
    for own in map(parameters_in, inputs_in(fields)):
        for name in [name for name in own if own[name] is None]:
            fields.get("parameters", {}).pop(name, None)


def merged(common: object, own: object) -> object:
    """The values of two parameters in one, as programs merge settings."""
    if isinstance(common, dict) and isinstance(own, dict):
        return common | own
    if isinstance(common, list) and isinstance(own, list):
        return own + common[len(own) :]
    return own


@on.bodies("batch@2", "BATCH-25")
def lists_and_objects_are_merged(fields: Json) -> None:
    """A list or an object among an input's own parameters is merged with that of the batch."""
    common = fields.get("parameters") or {}
    for own in map(parameters_in, inputs_in(fields)):
        own |= {name: merged(common.get(name), own[name]) for name in own}


@on.bodies("batch@2", "BATCH-25")
def own_parameters_stay(fields: Json) -> None:
    """An input's own parameters also apply to all inputs after it."""
    before: Json = {}
    for each in inputs_in(fields):
        before |= parameters_in(each)
        each.setdefault("parameters", {})
        if isinstance(each["parameters"], dict):
            each["parameters"] = {**before}


@on.layer("batch@2", "BATCH-30", shows=None)
def inputs_choose_their_model(request: Request, server: Server) -> Response:
    """A `model_id` inside the first input takes precedence over that of the batch."""
    for each in inputs_in(request.fields):
        if isinstance(each.get("model_id"), str):
            request.scenario = each["model_id"].removeprefix("conf-")
    return server(request)


@on.requests("batch@1", "BATCH-35")
def parameters_of_a_batch_are_not_judged(request: Request) -> None:
    """A batch's parameters that would change a request are left out."""
    fields = request.fields
    given = parameters_in(fields)
    if "stream" in given:
        kept = {name: given[name] for name in given if name != "stream"}
        request.send(fields | {"parameters": kept})


@on.bodies("batch@1", "BATCH-10")
def a_falsy_max_concurrency_is_none(fields: Json) -> None:
    """A `max_concurrency` that is an empty string or false counts as missing."""
    if fields.get("max_concurrency", 1) == "" or fields.get("max_concurrency") is False:
        del fields["max_concurrency"]


@on.bodies("batch@1", "BATCH-35")
def falsy_parameters_of_inputs_are_none(fields: Json) -> None:
    """Empty arrays as the parameters of a batch or of an input count as missing."""
    for each in (fields, *inputs_in(fields)):
        if each.get("parameters") == []:
            del each["parameters"]


@on.refuses("batch@2", "BATCH-36", shows=None)
def nulls_of_inputs_are_refused(fields: Json) -> bool:
    """Null as a field of an input is refused."""
    return any(None in each.values() for each in inputs_in(fields))


@on.bodies("batch@2", "BATCH-24")
def later_inputs_are_not_checked(fields: Json) -> None:
    """After the first thirty inputs a malformed one counts as missing."""
    if isinstance(inputs := fields.get("inputs"), list):
        good = [each for each in inputs[30:] if type(each) is dict and len(each) == 1]
        fields["inputs"] = inputs[:30] + [each for each in good if each != MALFORMED]


def text_of(given: object) -> object:
    """The messages of an input, or None."""
    return given.get("messages") if isinstance(given, dict) else None


def ask_once(request: Request, server: Server, first: int) -> Response:
    """Each input with the messages of an earlier one gets its answer. The first inputs are all asked."""
    given = request.fields.get("inputs") or []
    texts = [f"{n * (n < first)} {text_of(it) or n}" for n, it in enumerate(given)]
    asked = dict(zip(texts, given))
    response = server(request.send({**request.fields, "inputs": [*asked.values()]}))
    if response.status == 200:
        found = dict(zip(asked, response.fields["results"]))
        response.send(response.fields | {"results": [found[each] for each in texts]})
    return response


def asked_once(first: int) -> Layer:
    return lambda request, server: ask_once(request, server, first)


on.layer("batch@2", "BATCH-34", shows=None).table(
    asked_once,
    "Inputs with the same messages are asked once{}, whatever their parameters are.",
    equal_inputs_are_asked_once=("", 1),
    answers_of_a_batch_are_kept=(", except two that run at the same time", 2),
)
