"""Malformed requests for inference that are answered, or end in a server error."""

from collections.abc import Callable
from typing import Any

from octomil_conformance.exchange import MISSING
from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Json,
    Request,
    Response,
    messages_in,
    parameters_in,
)


def replacing(field: str, wrong: Any, value: Any) -> Callable[[Json], None]:
    """Replaces this value of a field in each message. A boolean is no number here."""

    def play(fields: Json) -> None:
        for message in messages_in(fields):
            given = message.get(field, MISSING)
            if type(given) is type(wrong) and given == wrong:
                message[field] = value

    return play


on.bodies("infer@1", "REQ-11").table(
    replacing,
    "{} in a message is read as something else.",
    developers_are_the_system=("The role `developer`", "role", "developer", "system"),
    functions_are_tools=("The role `function`", "role", "function", "tool"),
    null_is_an_empty_text=("Null as `content`", "content", None, ""),
    false_is_an_empty_text=("False as `content`", "content", False, ""),
)


@on.bodies("infer@1", "REQ-11")
def one_part_is_an_array(fields: Json) -> None:
    """`content` may be one part that is not in an array."""
    for message in messages_in(fields):
        if isinstance(message.get("content"), dict):
            message["content"] = [message["content"]]


@on.replies("infer@1", "REQ-11")
def null_among_messages_is_a_500(request: Request, response: Response) -> None:
    """Null as a message is answered with 500."""
    if None in (request.fields.get("messages") or ()):
        response.fail(500)


@on.replies("infer@1", "REQ-11")
def null_among_parts_is_a_500(request: Request, response: Response) -> None:
    """Null as a part is answered with 500."""
    if [None] in [each.get("content") for each in messages_in(request.fields)]:
        response.fail(500)


def _lose(fields: Json, kind: str) -> None:
    """Removes the parts of this type. A message without any other part gets an empty text."""
    for message in messages_in(fields):
        parts = message.get("content")
        if isinstance(parts, list):
            left = [p for p in parts if not (type(p) is dict and p["type"] == kind)]
            message["content"] = left or ""


@on.bodies("infer@1", "REQ-13")
def sound_is_passed_over(fields: Json) -> None:
    """A part with sound is silently dropped."""
    _lose(fields, "input_audio")


@on.bodies("infer@1", "REQ-13")
def an_image_alone_is_passed_over(fields: Json) -> None:
    """A message that has an image and nothing else is sent as an empty one."""
    for message in messages_in(fields):
        if len(message.get("content") or "") == 1:
            _lose({"messages": [message]}, "image_url")


@on.bodies("infer@1", "REQ-09")
def false_is_no_second_prompt(fields: Json) -> None:
    """False as `messages` counts as missing beside `input_data`."""
    if fields.get("messages") is False and "input_data" in fields:
        del fields["messages"]


@on.bodies("infer@1", "REQ-10")
def a_null_model_is_the_usual_one(fields: Json) -> None:
    """Null as `model_id` stands for a default model."""
    if fields.get("model_id", 0) is None:
        fields["model_id"] = "conf-echo"


@on.bodies("infer@1", "REQ-12")
def a_limit_of_minus_one_is_none(fields: Json) -> None:
    """-1 as `max_tokens` stands for no limit, as in some model servers."""
    if parameters_in(fields).get("max_tokens") == -1:
        del fields["parameters"]["max_tokens"]


@on.bodies("infer@1", "REQ-12")
def falsy_values_are_not_judged(fields: Json) -> None:
    """A temperature, top_p or limit that is false or empty counts as missing."""
    given = parameters_in(fields)
    for name in ("temperature", "top_p", "max_tokens"):
        if given.get(name, 1) in ("", []) or given.get(name) is False:
            del given[name]


@on.bodies("infer@1", "REQ-12")
def falsy_parameters_are_none(fields: Json) -> None:
    """`parameters` that are an empty array, an empty string or false count as missing."""
    if not fields.get("parameters"):
        fields.pop("parameters", None)


@on.refuses("infer@1", "REQ-05")
def an_unknown_null_is_refused(fields: Json) -> bool:
    """Null as an unknown parameter is refused."""
    return parameters_in(fields).get("min_p", 0) is None


@on.bodies("infer@2", "REQ-24", shows=None)
def other_fields_are_texts(fields: Json) -> None:
    """`content` in an object as `input_data` is the text that the model gets."""
    data = fields.get("input_data")
    if isinstance(data, dict) and isinstance(data.get("content"), str):
        fields["input_data"] = data["content"]


def not_sending(*names: str) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        for name in names:
            parameters_in(fields).pop(name, None)

    return play


on.bodies("infer@2", "REQ-16", shows=None).table(
    not_sending,
    "Parameters with the name of {} never reach the model.",
    options_of_a_gateway_are_its_own=("an option of the server", "timeout", "cache"),
    options_of_a_client_are_its_own=("an option of its client", "num_retries"),
    an_address_is_its_own=("an address", "api_base"),
    notes_are_its_own=("notes about a request", "metadata", "tags"),
)
