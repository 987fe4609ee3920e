"""Validates what clients send (spec sections 3, 6 and 7): JSON values in, frozen values out. Pure.

A null counts as not given, unknown fields are ignored, and each error names the field as the client wrote it:
`inputs[3].messages[0].role`. `sdk_endpoints/` turns requests in OpenAI's shape into the same values.
"""

import math
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from octomil_ref import json_codec
from octomil_ref.errors import BadRequest, UnsupportedModality, invalid

ROLES = ("system", "user", "assistant", "tool")
TEXT_PARTS = ("text", "input_text")
MODEL_ID_MAX_CHARACTERS = 256
DEFAULT_MAX_CONCURRENCY = 4
STOP_MAX_STRINGS = 8

REFUSED = frozenset(
    [
        *("model", "messages", "input", "prompt", "n", "options", "encoding_format"),
        *("stream", "stream_options"),
        *("tools", "tool_choice", "functions", "function_call"),
    ]
)
"""Parameters that would change the request itself. Other unknown names go to the backend: the SDKs send arbitrary extras."""

Parameters = Mapping[str, Any]
"""Names and values. Only `think` may be None: it asks for Ollama's default, not ours. `stop` is a list; integers are int."""


@dataclass(frozen=True)
class Message:
    role: str
    """One of ROLES."""
    content: str
    """The text. If the client sent parts, newlines join them."""

    def to_json(self) -> dict[str, str]:
        """Both dialects write a message like this."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class CompletionRequest:
    """The body of `/inference` and `/inference/stream`, and each input of a batch."""

    model_id: str
    """As the client wrote it. A backend may use another name."""
    messages: tuple[Message, ...]
    """At least one."""
    parameters: Parameters
    """Only those that the client gave."""

    def texts(self) -> Iterator[str]:
        """All texts that the client wrote. They are never logged."""
        yield from (message.content for message in self.messages)
        yield from _strings(self.parameters)


def _strings(value: object) -> list[str]:
    """The strings in a JSON value, without the keys of its objects."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [string for each in value for string in _strings(each)]
    return [value] if isinstance(value, str) else []


@dataclass(frozen=True)
class BatchRequest:
    model_id: str
    inputs: tuple[CompletionRequest, ...]
    max_concurrency: int
    """At least 1. The server lowers it to OCTOMIL_BATCH_MAX_CONCURRENCY."""


@dataclass(frozen=True)
class EmbeddingsRequest:
    model_id: str
    input: tuple[str, ...]
    """At least one, none empty."""

    def texts(self) -> Iterator[str]:
        return iter(self.input)


def parse_completion(body: object) -> CompletionRequest:
    """Raises BadRequest, or UnsupportedModality for an image or audio part."""
    fields = as_object("", body)
    return CompletionRequest(
        read_model_id(fields),
        _prompt("", fields),
        parse_parameters("parameters", fields.get("parameters")),
    )


def parse_batch(body: object, max_inputs: int) -> BatchRequest:
    """Refuses the whole batch if one input is invalid."""
    fields = as_object("", body)
    model_id = read_model_id(fields)
    common = parse_parameters("parameters", fields.get("parameters"))
    inputs = tuple(
        _batch_input(f"inputs[{index}]", model_id, entry, common)
        for index, entry in enumerate(_array("inputs", fields, max_inputs))
    )
    given = fields.get("max_concurrency")
    at_once = DEFAULT_MAX_CONCURRENCY if given is None else given
    at_once = _checked("max_concurrency", at_once, _positive_integer)
    return BatchRequest(model_id, inputs, at_once)


def parse_embeddings(body: object, max_inputs: int) -> EmbeddingsRequest:
    fields = as_object("", body)
    return EmbeddingsRequest(read_model_id(fields), read_texts(fields, max_inputs))


def read_texts(fields: Mapping[str, Any], max_inputs: int) -> tuple[str, ...]:
    """`input`, a string or an array of them."""
    if isinstance(fields.get("input"), str):
        return (_text("input", fields["input"]),)
    texts = _array("input", fields, max_inputs, "a string or ")
    return tuple(_text(f"input[{index}]", text) for index, text in enumerate(texts))


def _batch_input(
    path: str, model_id: str, entry: object, common: dict[str, Any]
) -> CompletionRequest:
    fields = as_object(path, entry)
    own = parse_parameters(f"{path}.parameters", fields.get("parameters"))
    # The input's own parameters override those of the batch, name by name. No copy: there may be many of both.
    parameters = ChainMap(own, common)
    return CompletionRequest(model_id, _prompt(f"{path}.", fields), parameters)


def read_model_id(fields: Mapping[str, Any], name: str = "model_id") -> str:
    """`name` is the name of the field, which is `model` in OpenAI's requests."""
    model_id = fields.get(name)
    if model_id is None:
        raise invalid(name, "is required")
    if not isinstance(model_id, str) or not model_id.strip():
        raise invalid(name, "must be a string that is not blank")
    if len(model_id) > MODEL_ID_MAX_CHARACTERS:
        raise invalid(name, f"must have at most {MODEL_ID_MAX_CHARACTERS} characters")
    return model_id


def _prompt(prefix: str, fields: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages, given in one of two forms."""
    messages, input_data = fields.get("messages"), fields.get("input_data")
    if (messages is None) == (input_data is None):
        problem = "both were given" if messages is not None else "neither was given"
        raise BadRequest(
            f"Validation failed: exactly one of '{prefix}messages' and '{prefix}input_data' is required, {problem}."
        )
    if messages is not None:
        return read_messages(f"{prefix}messages", messages)
    return _input_data(f"{prefix}input_data", input_data)


def _input_data(path: str, value: object) -> tuple[Message, ...]:
    match value:
        case str():
            return (Message("user", _text(path, value)),)
        case list() if all(isinstance(item, dict) and "role" in item for item in value):
            return read_messages(path, value)  # refuses an empty array
        case {"messages": messages} if messages is not None:
            return read_messages(f"{path}.messages", messages)
        case {"text": str(text)} if text:
            return (Message("user", text),)
        case {"prompt": str(prompt)} if prompt:
            return (Message("user", prompt),)
        case _:
            return (Message("user", json_codec.encode_readable(value)),)


def read_messages(path: str, value: object) -> tuple[Message, ...]:
    if not isinstance(value, list):
        raise invalid(path, "must be an array of messages")
    if not value:
        raise invalid(path, "must not be empty")
    return tuple(_message(f"{path}[{index}]", item) for index, item in enumerate(value))


def _message(path: str, value: object) -> Message:
    fields = as_object(path, value)
    role = fields.get("role")
    if role not in ROLES:
        raise invalid(f"{path}.role", f"must be one of {', '.join(ROLES)}")
    return Message(role, _content(f"{path}.content", fields.get("content")))


def _content(path: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        raise invalid(path, "must be a string or a non-empty array of text parts")
    return "\n".join(
        _part(f"{path}[{index}]", part) for index, part in enumerate(value)
    )


def _part(path: str, value: object) -> str:
    fields = as_object(path, value)
    kind, text = fields.get("type"), fields.get("text")
    if not isinstance(kind, str):
        raise invalid(f"{path}.type", "must be a string such as 'text'")
    if kind not in TEXT_PARTS:
        raise UnsupportedModality(
            f"Validation failed: '{path}.type' must be one of {', '.join(TEXT_PARTS)}; other parts are not supported."
        )
    if not isinstance(text, str):
        raise invalid(f"{path}.text", "must be a string")
    return text


def as_object(path: str, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if path:
        raise invalid(path, "must be an object")
    raise BadRequest("Validation failed: the body must be a JSON object.")


def _array(
    name: str, fields: Mapping[str, Any], most: int, or_else: str = ""
) -> list[Any]:
    value = fields.get(name)
    if value is None:
        raise invalid(name, "is required")
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise invalid(name, f"must be {or_else}an array of 1 to {most} items")
    return value


def _text(path: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(path, "must be a non-empty string")
    return value


def parse_parameters(path: str, value: object) -> dict[str, Any]:
    """Raises BadRequest with the name of the parameter. None and {} are no parameters."""
    return {
        name: read_parameter(f"{path}.{name}", name, given)
        for name, given in as_object(path, {} if value is None else value).items()
        if given is not None or name == "think"
    }


def read_parameter(path: str, name: str, value: Any) -> Any:
    # Servers written in Go ignore the case of a key, and take `ſ` for an s.
    if name.casefold() in REFUSED:
        raise invalid(path, "is not a generation parameter")
    return _checked(path, value, RULES[name]) if name in RULES else value


Rule = Callable[[Any], Any]
"""Returns the value as backends get it. Raises ValueError with what was expected."""


def _checked(path: str, value: Any, rule: Rule) -> Any:
    try:
        return rule(value)
    except ValueError as ex:
        raise invalid(path, f"must be {ex}") from ex


def _number(low: float, high: float) -> Rule:
    def rule(value: Any) -> Any:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return rule


def _integer(lowest: float, expected: str) -> Rule:
    def rule(value: Any) -> int:
        # JSON has one kind of number, so 16.0 is an integer. A boolean is not, although it is in Python.
        whole = type(value) is int or type(value) is float and value.is_integer()
        if not whole or value < lowest:
            raise ValueError(expected)
        return int(value)

    return rule


_any_integer = _integer(-math.inf, "an integer")
_positive_integer = _integer(1, "an integer of at least 1")


def _stop(value: Any) -> list[str]:
    strings = [value] if isinstance(value, str) else value
    if (
        not isinstance(strings, list)
        or len(strings) > STOP_MAX_STRINGS
        or not all(isinstance(string, str) for string in strings)
    ):
        raise ValueError(f"a string or an array of at most {STOP_MAX_STRINGS} strings")
    return strings


RULES: Mapping[str, Rule] = {
    "temperature": _number(0, 2),
    "max_tokens": _positive_integer,
    "top_p": _number(0, 1),
    "top_k": _any_integer,
    "seed": _any_integer,
    "stop": _stop,
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
}
