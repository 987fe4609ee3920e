"""Servers that refuse valid requests, accept invalid ones, or lose parts of them."""

from collections.abc import Callable
from contextlib import suppress

from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Json,
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


@on.refuses("infer@1", "REQ-06")
def parts_are_refused(fields: Json) -> bool:
    """A `content` of text parts is refused."""
    return messages_with_parts(fields) != []


@on.refuses("infer@2", "REQ-17", shows=None)
def tools_are_refused(fields: Json) -> bool:
    """A message of the role tool is refused."""
    return any(each.get("role") == "tool" for each in messages_in(fields))


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


def make_users(fields: Json, role: str) -> None:
    """Give every message with this role the role of the user."""
    for message in messages_in(fields):
        if message.get("role") == role:
            message["role"] = "user"


@on.bodies("infer@1 embed@1 batch@1", "REQ-11 EMBED-15 BATCH-07")
def objects_with_numbers_are_arrays(fields: Json) -> None:
    """An object whose names are numbers counts as an array, as in PHP."""
    for name in ("messages", "input", "inputs"):
        if isinstance(fields.get(name), dict) and "0" in fields[name]:
            fields[name] = [*fields[name].values()]


@on.bodies("infer@1", "REQ-11")
def nulls_among_parts_are_dropped(fields: Json) -> None:
    """A null in a `content` of parts is dropped."""
    for message in messages_with_parts(fields):
        message["content"] = [part for part in message["content"] if part is not None]


@on.bodies("infer@1", "REQ-11")
def true_is_every_role(fields: Json) -> None:
    """`true` counts as a role: where types are compared loosely, it equals every text."""
    for message in messages_in(fields):
        if message.get("role") is True:
            message["role"] = "user"


@on.bodies("infer@1", "REQ-11")
def true_is_every_type(fields: Json) -> None:
    """`true` counts as the type of a part."""
    for message in messages_with_parts(fields):
        for part in message["content"]:
            if isinstance(part, dict) and part.get("type") is True:
                part["type"] = "text"


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
