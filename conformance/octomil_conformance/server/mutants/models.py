"""Bugs in the requests to one upstream that come with certain names of models and values of parameters. Each function is a mutant for each dialect."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from unicodedata import normalize

from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import Json
from octomil_conformance.server.mutants.forwarding import parameter, parameters_in
from octomil_conformance.server.mutants.prompts import given_parameters
from octomil_conformance.server.subjects import table


def named(change: Callable[[str], str]) -> Callable[[Json], None]:
    """Changes the name of the model."""
    return lambda payload: payload.update(model=change(payload["model"]))


table(
    on.sends("infer@2 batch@2 embed@2", "REQ-25", shows=None),
    named,
    "The name of the model is {}.",
    models_are_lower_case=("sent in lower case", str.lower),
    models_are_trimmed=("sent without white space at its end", str.strip),
    models_begin_without_space=(
        "sent without white space at its beginning",
        str.lstrip,
    ),
    models_are_normalized=(
        "changed to another Unicode form",
        partial(normalize, "NFC"),
    ),
    models_lose_their_tag=(
        "sent without its tag",
        partial(re.sub, r":[\w-]+?(?=-openai-|$)", ""),
    ),
    the_usual_tag_is_left_out=(
        "sent without the tag `latest`",
        lambda name: name.removesuffix(":latest"),
    ),
    models_lose_their_provider=(
        "sent without a provider and a slash before it",
        partial(re.sub, r"^(openai|ollama)/", ""),
    ),
)


@on.sends("infer@2", "REQ-21", shows=None)
def reasoning_models_have_no_temperature(payload: Json) -> None:
    """Temperature and top_p are not sent if the name of the model is that of one that can reason."""
    if re.match(r"o\d|gpt-5", payload["model"]):
        for name in ("temperature", "top_p"):
            parameters_in(payload).pop(name, None)


@on.sends("infer@2", "REQ-17", shows=None)
def some_models_know_no_system(payload: Json) -> None:
    """System messages are sent as the user's if the model is called gemma."""
    if "gemma" in payload["model"]:
        for message in payload["messages"]:
            message["role"] = message["role"].replace("system", "user")


def change_values(payload: Json, change: Callable[[Any], Any]) -> None:
    """Changes what is inside the parameters that are objects."""
    parameters = parameters_in(payload)
    for name, value in parameters.items():
        if isinstance(value, dict) and name not in ("options", "stream_options"):
            parameters[name] = change(value)


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _arrays(each) for name, each in value.items()} or []
    return value


@on.sends("infer@2", "REQ-16", shows=None)
def empty_objects_are_arrays(payload: Json) -> None:
    """An empty object in a parameter is sent as an empty array."""
    change_values(payload, _arrays)


@on.sends("infer@2", "REQ-16", shows=None)
def texts_are_read_as_values(payload: Json) -> None:
    """A text in a parameter that looks like a number is sent as one."""
    parameter("mode", int)(payload)


@on.sends("infer@2", "REQ-16", shows=None)
def nulls_in_objects_are_not_sent(payload: Json) -> None:
    """A null in an object is not sent."""
    change_values(payload, lambda value: {name: each for name, each in value.items() if each is not None})  # fmt: skip


@on.sends("infer@2", "REQ-16", shows=None)
def names_are_in_snake_case(payload: Json) -> None:
    """The name of a parameter is changed to lower case with underscores."""
    parameters = parameters_in(payload)
    for name in [*parameters]:
        value = parameters.pop(name)
        parameters[re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()] = value


@on.refuses("infer@2", "REQ-16", shows=None)
def names_of_a_prototype_are_refused(fields: Json) -> bool:
    """A parameter with the name of a method that all objects have is refused."""
    return "toString" in given_parameters(fields)
