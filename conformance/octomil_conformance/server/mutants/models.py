"""Bugs in the requests to one upstream that come with certain names of models and values of parameters. Each function is a mutant for each dialect."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from octomil_conformance.server.layers import Json
from octomil_conformance.server.mutants.forwarding import parameters_in
from octomil_conformance.server.mutants.prompts import given_parameters
from octomil_conformance.server.subjects import refuses, sends


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_are_lower_case(payload: Json) -> None:
    """The name of the model is sent in lower case."""
    payload["model"] = payload["model"].lower()


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_are_trimmed(payload: Json) -> None:
    """The name of the model is sent without white space at its end."""
    payload["model"] = payload["model"].strip()


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_lose_their_tag(payload: Json) -> None:
    """The name of the model is sent without its tag."""
    payload["model"] = re.sub(r":[\w-]+?(?=-openai-|$)", "", payload["model"])


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_begin_without_space(payload: Json) -> None:
    """The name of the model is sent without white space at its beginning."""
    payload["model"] = payload["model"].lstrip()


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_are_normalized(payload: Json) -> None:
    """The name of the model is changed to another Unicode form."""
    payload["model"] = unicodedata.normalize("NFC", payload["model"])


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def the_usual_tag_is_left_out(payload: Json) -> None:
    """The name of the model is sent without the tag `latest`."""
    payload["model"] = payload["model"].removesuffix(":latest")


@sends("infer@2 batch@2 embed@2", "REQ-25", shows=None)
def models_lose_their_provider(payload: Json) -> None:
    """The name of the model is sent without a provider and a slash before it."""
    payload["model"] = re.sub(r"^(openai|ollama)/", "", payload["model"])


@sends("infer@2", "REQ-21", shows=None)
def reasoning_models_have_no_temperature(payload: Json) -> None:
    """Temperature and top_p are not sent if the name of the model is that of one that can reason."""
    if re.match(r"o\d|gpt-5", payload["model"]):
        for name in ("temperature", "top_p"):
            parameters_in(payload).pop(name, None)


@sends("infer@2", "REQ-17", shows=None)
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


@sends("infer@2", "REQ-16", shows=None)
def empty_objects_are_arrays(payload: Json) -> None:
    """An empty object in a parameter is sent as an empty array."""
    change_values(payload, _arrays)


@sends("infer@2", "REQ-16", shows=None)
def nulls_in_objects_are_not_sent(payload: Json) -> None:
    """A null in an object is not sent."""
    change_values(payload, lambda value: {name: each for name, each in value.items() if each is not None})  # fmt: skip


@sends("infer@2", "REQ-16", shows=None)
def names_are_in_snake_case(payload: Json) -> None:
    """The name of a parameter is changed to lower case with underscores."""
    parameters = parameters_in(payload)
    for name in [*parameters]:
        value = parameters.pop(name)
        parameters[re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower()] = value


@refuses("infer@2", "REQ-16", shows=None)
def names_of_a_prototype_are_refused(fields: Json) -> bool:
    """A parameter with the name of a method that all objects have is refused."""
    return "toString" in given_parameters(fields)
