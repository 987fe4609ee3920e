"""Bugs in the requests to one upstream that come with certain names of models and values of parameters. Each function is a mutant for each dialect."""

import re
from collections.abc import Callable
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response, parameters_in


@on.sends("infer@2 batch@2 embed@2", "REQ-25")
def models_are_lower_case(payload: Json) -> None:
    """The name of the model is sent in lower case."""
    payload["model"] = payload["model"].lower()


@on.sends("infer@2 batch@2 embed@2", "REQ-25")
def models_are_normalized(payload: Json) -> None:
    """The name of the model is changed to another Unicode form."""
    payload["model"] = normalize("NFC", payload["model"])


def without(pattern: str) -> Callable[[Json], None]:
    """Removes this part of the model's name."""
    return lambda payload: payload.update(model=re.sub(pattern, "", payload["model"]))


on.sends("infer@2 batch@2 embed@2", "REQ-25").table(
    without,
    "The name of the model is sent without {}.",
    models_are_trimmed=("white space at its end", r"\s+\Z"),
    models_begin_without_space=("white space at its beginning", r"\A\s+"),
    models_lose_their_tag=("its tag", r":[\w-]+?(?=-openai-|$)"),
    the_usual_tag_is_left_out=("the tag `latest`", r":latest\Z"),
    models_lose_their_type=("the type of its file", r"\.gguf\Z"),
    models_lose_their_provider=(
        "a provider and a slash before it",
        r"^(openai|ollama)/",
    ),
)


@on.sends("infer@2", "REQ-21")
def reasoning_models_have_no_temperature(payload: Json) -> None:
    """Temperature and top_p are not sent to a model with the name of a reasoning model."""
    if re.match(r"o\d|gpt-5", payload["model"]):
        for name in ("temperature", "top_p"):
            payload.get("options", payload).pop(name, None)


@on.sends("infer@2", "REQ-17")
def some_models_know_no_system(payload: Json) -> None:
    """System messages are sent as the user's if the model is called gemma."""
    if "gemma" in payload["model"]:
        for message in payload["messages"]:
            message["role"] = message["role"].replace("system", "user")


def change_objects(parameters: Json, change: Callable[[Any], Any]) -> None:
    """Changes the parameters that are objects."""
    for name, value in parameters.items():
        if isinstance(value, dict) and name not in ("options", "stream_options"):
            parameters[name] = change(value)


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _arrays(each) for name, each in value.items()} or []
    return value


@on.replies("infer@2 embed@2", "REQ-25", shows=None)
def names_in_other_letters_are_a_500(request: Request, response: Response) -> None:
    """If the name of a model is not ASCII, the model is asked, but the client gets a 500."""
    is_ascii = str(request.fields.get("model_id")).isascii()
    if response.status == 200 and not is_ascii:
        response.fail(500)


@on.refuses("embed@2", "REQ-25", shows=None)
def names_have_a_hundred_characters(fields: Json) -> bool:
    """A name of a model with more than a hundred characters is refused."""
    return len(str(fields.get("model_id"))) > 100


@on.parameters("infer@2", "REQ-16")
def empty_objects_are_arrays(parameters: Json) -> None:
    """An empty object in a parameter is sent as an empty array."""
    change_objects(parameters, _arrays)


@on.parameters("infer@2", "REQ-16")
def booleans_are_sent_as_numbers(parameters: Json) -> None:
    """A parameter that is false is sent as 0."""
    if "ignore_eos" in parameters:
        parameters["ignore_eos"] = int(parameters["ignore_eos"])


@on.parameters("infer@2", "REQ-16")
def texts_are_read_as_values(parameters: Json) -> None:
    """A text in a parameter that looks like a number is sent as one."""
    if "mode" in parameters:
        parameters["mode"] = int(parameters["mode"])


def _without_nulls(value: Json) -> Json:
    return {name: each for name, each in value.items() if each is not None}


@on.parameters("infer@2", "REQ-16")
def nulls_in_objects_are_not_sent(parameters: Json) -> None:
    """A null in an object is not sent."""
    change_objects(parameters, _without_nulls)


@on.parameters("infer@2", "REQ-16")
def names_are_in_snake_case(parameters: Json) -> None:
    """The name of a parameter is changed to lower case with underscores."""
    for name in [*parameters]:
        value = parameters.pop(name)
        parameters[re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()] = value


@on.refuses("infer@2", "REQ-16", shows=None)
def names_of_a_prototype_are_refused(fields: Json) -> bool:
    """A parameter with the name of a method that all objects have is refused."""
    return "toString" in parameters_in(fields)


@on.sends("infer@2 batch@2 embed@2", "REQ-25")
def models_are_decoded(payload: Json) -> None:
    """Percent escapes in the name of the model are decoded."""
    payload["model"] = unquote(payload["model"])
