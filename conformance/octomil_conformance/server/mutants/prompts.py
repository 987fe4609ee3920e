"""Servers that refuse valid requests, accept invalid ones, or lose parts of them."""

import json
import re
from collections.abc import Callable
from contextlib import suppress

from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Json,
    Request,
    Response,
    messages_in,
    parameters_in,
)
from octomil_conformance.server.subjects import all_but

GOOD = "conf-echo"
MESSAGES = [{"role": "user", "content": "Hi"}]


def lowered(fields: Json) -> Json:
    """The fields with their names in lower case. The last of equal names counts."""
    return {name.lower(): value for name, value in fields.items()}


def messages_with_parts(fields: Json) -> list[Json]:
    return [
        each for each in messages_in(fields) if isinstance(each.get("content"), list)
    ]


@on.refuses("infer@1", "REQ-02")
def text_is_refused(fields: Json) -> bool:
    """A string as `input_data` is refused."""
    return isinstance(fields.get("input_data"), str)


@on.refuses("infer@1", "REQ-03")
def features_are_refused(fields: Json) -> bool:
    """An object as `input_data` is refused."""
    return isinstance(fields.get("input_data"), dict)


@on.requests("infer@1", "REQ-11")
def messages_in_input_data_are_not_judged(request: Request) -> None:
    """Malformed messages in `input_data` are no failure: the model gets their JSON text."""
    data = request.fields.get("input_data")
    if isinstance(data, list) or (isinstance(data, dict) and "messages" in data):
        request.send(request.fields | {"input_data": json.dumps(data)})


@on.refuses("infer@1", "REQ-06")
def parts_are_refused(fields: Json) -> bool:
    """A `content` of text parts is refused."""
    return messages_with_parts(fields) != []


@on.refuses("infer@2", "REQ-17", shows=None)
def tools_are_refused(fields: Json) -> bool:
    """A message of the role tool is refused."""
    return any(each.get("role") == "tool" for each in messages_in(fields))


@on.refuses("infer@2", "REQ-23", shows=None)
def blank_prompts_are_refused(fields: Json) -> bool:
    """A string of white space alone as `input_data` is refused."""
    data = fields.get("input_data")
    return isinstance(data, str) and data.isspace()


@on.refuses("infer@2", "REQ-24", shows=None)
def falsy_values_count_as_missing(fields: Json) -> bool:
    """0, false or an empty object as `input_data` is refused."""
    data = fields.get("input_data")
    return data is not None and data != "" and not data


@on.refuses("infer@2", "REQ-24", shows=None)
def texts_may_not_be_empty(fields: Json) -> bool:
    """An empty `text` beside a `prompt` is refused."""
    data = fields.get("input_data")
    return isinstance(data, dict) and data.get("text") == "" and "prompt" in data


@on.refuses("infer@2", "REQ-24", shows=None)
def the_first_item_decides(fields: Json) -> bool:
    """An array as `input_data` with a message and something else is refused."""
    data = json.dumps(fields.get("input_data"))
    return re.match(r'\[\{"role".*, 7\]$', data) is not None


def null(name: str) -> Callable[[Json], bool]:
    return lambda fields: fields.get(name, 0) is None


on.refuses("infer@1", "REQ-05").table(
    null,
    "Null as {} is refused.",
    null_parameters_are_refused=("`parameters`", "parameters"),
    a_null_form_is_refused=("`input_data` beside `messages`", "input_data"),
    null_messages_are_refused=("`messages` beside `input_data`", "messages"),
)


@on.refuses(
    "infer@1 embed@0",
    all_but(
        "infer@1",
        "REQ-02 REQ-03 HTTP-02..04 HTTP-07 HTTP-13 HTTP-21 HTTP-25 INFER-06 INFER-07",
    ),
)
def messages_are_refused(fields: Json) -> bool:
    """`messages` are refused; only `input_data` is accepted."""
    return "messages" in fields


@on.bodies("infer@1", "REQ-07 HTTP-01 HTTP-27")
def model_has_a_default(fields: Json) -> None:
    """A request without `model_id` goes to a default model."""
    fields.setdefault("model_id", GOOD)


@on.bodies("infer@1", "REQ-07")
def models_have_another_name(fields: Json) -> None:
    """`model` is read if there is no `model_id`."""
    if "model_id" not in fields and isinstance(fields.get("model"), str):
        fields["model_id"] = fields["model"]


@on.bodies("infer@1", "REQ-08")
def prompts_have_another_name(fields: Json) -> None:
    """`prompt` is read if there is no other prompt."""
    if not fields.keys() & {"messages", "input_data"} and "prompt" in fields:
        fields["input_data"] = fields["prompt"]


@on.bodies("infer@1", "REQ-08")
def prompt_has_a_default(fields: Json) -> None:
    """A request without a prompt goes to the model with a default prompt."""
    if "messages" not in fields and "input_data" not in fields:
        fields["messages"] = MESSAGES


@on.bodies("infer@1", "REQ-09")
def messages_win(fields: Json) -> None:
    """If there are two prompts, `input_data` is silently dropped."""
    if fields.get("messages"):
        fields.pop("input_data", None)


@on.bodies("infer@1", "REQ-10")
def model_is_coerced(fields: Json) -> None:
    """An invalid `model_id` is replaced by a default model."""
    model = fields.get("model_id", GOOD)
    if not isinstance(model, str) or not model.strip():
        fields["model_id"] = GOOD


@on.bodies("infer@1", "REQ-11")
def messages_are_coerced(fields: Json) -> None:
    """`messages` that are not an array become one message."""
    is_alone = "input_data" not in fields and isinstance(fields.get("model_id"), str)
    if is_alone and not isinstance(fields.get("messages", []), list):
        fields["messages"] = MESSAGES


@on.bodies("infer@1", "REQ-11")
def roles_have_no_case(fields: Json) -> None:
    """Capital letters and white space in a role do not count."""
    for message in messages_in(fields):
        if isinstance(message.get("role"), str):
            message["role"] = message["role"].strip().lower()


@on.bodies("infer@1", "REQ-09")
def an_empty_second_prompt_is_none(fields: Json) -> None:
    """One of two prompts is silently dropped if it is empty, 0 or false."""
    for name, other in (("messages", "input_data"), ("input_data", "messages")):
        if fields.get(other) and not fields.get(name):
            fields.pop(name, None)


@on.bodies("infer@2", "REQ-17", shows=None)
def message_fields_have_no_case(fields: Json) -> None:
    """The names of the fields of a message are read in any case."""
    for message in messages_in(fields):
        message |= lowered(message)


@on.bodies("infer@2", "REQ-24", shows=None)
def forms_have_no_case(fields: Json) -> None:
    """The names in an object as `input_data` are read in any case."""
    if isinstance(fields.get("input_data"), dict):
        fields["input_data"] = lowered(fields["input_data"])


@on.bodies("infer@2", "REQ-16", shows=None)
def parameters_have_no_case(fields: Json) -> None:
    """The names of parameters are read in any case."""
    parameters = parameters_in(fields)
    parameters |= lowered(parameters)


@on.bodies("batch@2", "BATCH-30", shows=None)
def inputs_have_no_case(fields: Json) -> None:
    """The names of the fields of an input are read in any case."""
    for each in fields.get("inputs") or ():
        if isinstance(each, dict) and "model_id" in each:
            each |= lowered(each)


@on.refuses("infer@2", "REQ-17", shows=None)
def the_last_message_is_the_users(fields: Json) -> bool:
    """A conversation that ends with the assistant is refused."""
    return [each.get("role") for each in messages_in(fields)][-1:] == ["assistant"]


@on.refuses("infer@2", "REQ-24", shows=None)
def blank_texts_are_missing(fields: Json) -> bool:
    """A `text` or a `prompt` of white space alone in `input_data` is refused."""
    data = fields.get("input_data")
    texts = data.values() if isinstance(data, dict) else ()
    return any(isinstance(text, str) and text.isspace() for text in texts)


def make_users(fields: Json, role: str) -> None:
    """Give every message with this role the role of the user."""
    for message in messages_in(fields):
        if message.get("role") == role:
            message["role"] = "user"


@on.bodies("infer@1", "REQ-11")
def roles_are_coerced(fields: Json) -> None:
    """An unknown role counts as `user`."""
    make_users(fields, "king")


@on.bodies("infer@2", "REQ-17", shows=None)
def roles_are_lost(fields: Json) -> None:
    """The messages of the assistant reach the model as the user's."""
    make_users(fields, "assistant")


@on.bodies("infer@1", "REQ-13")
def images_are_passed_over(fields: Json) -> None:
    """A part that is not text is silently dropped."""
    for message in messages_with_parts(fields):
        parts = message["content"]
        message["content"] = [part for part in parts if part["type"] == "text"]


@on.bodies("infer@2", "REQ-17", shows=None)
def a_system_beside_the_messages_is_one(fields: Json) -> None:
    """`system` beside the messages is sent as a message."""
    if fields.get("messages") and "system" in fields:
        fields["messages"] = [{"role": "system", "content": "Hi"}, *fields["messages"]]


@on.bodies("infer@2", "REQ-18")
def names_are_lost(fields: Json) -> None:
    """Only the values of an object as `input_data` reach the model."""
    data = fields.get("input_data")
    if isinstance(data, dict) and "petals" in data:
        fields["input_data"] = " ".join(map(str, data.values()))


@on.bodies("infer@2", "REQ-18", shows=None)
def features_are_the_systems(fields: Json) -> None:
    """An object as `input_data` reaches the model as a system message."""
    data = fields.get("input_data")
    if isinstance(data, dict) and "petals" in data:
        fields["input_data"] = [{"role": "system", "content": json.dumps(data)}]


@on.responses("infer@2 embed@2", "REQ-19 REQ-20 EMBED-22 EMBED-25", shows="http-404")
def hides_missing_model(response: Response) -> None:
    """A missing model is answered with 502."""
    if response.status == 404 and b"model_not_found" in response.body:
        response.fail(502, error="bad_gateway", code="inference_failed", retryable=True)


@on.failures("infer@2", "REQ-20", shows="http-404")
def missing_model_has_no_code(fields: Json) -> None:
    """A missing model has the `code` of an invalid input."""
    if fields["status_code"] == 404:
        fields["code"] = "invalid_input"


@on.bodies("infer@2", "REQ-23", shows=None)
def input_data_is_trimmed(fields: Json) -> None:
    """White space around a string as `input_data` is removed."""
    if isinstance(fields.get("input_data"), str):
        fields["input_data"] = fields["input_data"].strip()


def form_as_json(name: str) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        data = fields.get("input_data")
        if isinstance(data, dict) and name in data:
            fields["input_data"] = json.dumps(data)

    return play


on.bodies("infer@2", "REQ-24", shows=None).table(
    form_as_json,
    "An object with {} as `input_data` reaches the model as JSON text.",
    objects_with_text_are_json=("a text", "text"),
    prompts_are_unknown=("a prompt", "prompt"),
    messages_in_objects_are_json=("messages", "messages"),
)


@on.bodies("infer@2", "REQ-24", shows=None)
def empty_objects_inside_are_arrays(fields: Json) -> None:
    """An empty object inside `input_data` reaches the model as an empty array."""
    data = fields.get("input_data")
    if isinstance(data, dict):
        empty: Json = {name: [] for name, value in data.items() if value == {}}
        fields["input_data"] = data | empty


@on.bodies("infer@2", "REQ-24", shows=None)
def nulls_inside_are_lost(fields: Json) -> None:
    """A null in an array inside `input_data` is lost."""
    given = json.dumps(fields.get("input_data"))
    fields |= {"input_data": json.loads(given.replace("1, null", "1"))}


@on.bodies("infer@2", "REQ-24", shows=None)
def prompt_is_before_text(fields: Json) -> None:
    """If `input_data` has a `text` and a `prompt`, the model gets the `prompt`."""
    data = fields.get("input_data")
    if isinstance(data, dict) and data.get("prompt") and data.get("text"):
        del data["text"]


@on.bodies("infer@2", "REQ-24", shows=None)
def arrays_are_joined(fields: Json) -> None:
    """The items of an array as `input_data` are joined with commas."""
    data = fields.get("input_data")
    if isinstance(data, list) and not isinstance(data[0], dict):
        fields["input_data"] = ",".join(map(str, data))


@on.bodies("infer@2", "REQ-24", shows=None)
def values_are_in_pythons_form(fields: Json) -> None:
    """Any other value as `input_data` reaches the model as Python writes it."""
    data = fields.get("input_data")
    if isinstance(data, bool | list) and "role" not in str(data):
        fields["input_data"] = str(data)


@on.bodies("infer@2", "REQ-24", shows=None)
def messages_in_arrays_are_json(fields: Json) -> None:
    """An array of messages as `input_data` reaches the model as JSON text."""
    if isinstance(fields.get("input_data"), list):
        fields["input_data"] = json.dumps(fields["input_data"])


@on.bodies("infer@2", "REQ-24", shows=None)
def parts_are_run_together(fields: Json) -> None:
    """Nothing is put between the texts of two parts."""
    for message in messages_with_parts(fields):
        with suppress(KeyError, TypeError):
            texts = [part["text"] for part in message["content"]]
            message["content"] = "".join(texts)


@on.bodies("infer@2", "REQ-17 REQ-24", shows=None)
def only_the_first_part_is_read(fields: Json) -> None:
    """Only the first part of a `content` is read."""
    for message in messages_with_parts(fields):
        if all(part["type"] == "text" for part in message["content"]):
            del message["content"][1:]


@on.bodies("infer@1", "REQ-26")
def empty_prompts_are_accepted(fields: Json) -> None:
    """An empty string as `input_data` is accepted."""
    if fields.get("input_data") == "":
        fields["input_data"] = " "
