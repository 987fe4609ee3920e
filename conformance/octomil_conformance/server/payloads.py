"""Validation of what clients send. Pure; raises Failure."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from octomil_conformance.server.failures import Failure, need
from octomil_conformance.server.layers import Json

RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
WHOLE = ("max_tokens", "top_k", "seed")
FORBIDDEN = {
    *("model", "messages", "input", "prompt", "stream", "stream_options", "n"),
    *("tools", "tool_choice", "functions", "function_call", "options"),
    "encoding_format",
}
ROLES = ("system", "user", "assistant", "tool")
TEXT = ("text", "input_text")
TOO_DEEP = 1000


@dataclass(frozen=True)
class Prompt:
    """A request for one completion."""

    model: str
    messages: list[Json]
    parameters: Json


def parse_json(data: bytes) -> Json:
    def unique(pairs: list[tuple[str, Any]]) -> Json:
        need(len(dict(pairs)) == len(pairs), "duplicate key")
        return dict(pairs)

    def finite(text: str) -> float:
        need(math.isfinite(float(text)), "a number is out of range")
        return float(text)

    need(b"[" * TOO_DEEP not in data, "nested too deeply")  # Python 3.14 reads it
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=unique,
            parse_constant=finite,
            parse_float=finite,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as ex:
        raise Failure("bad_request", "The body is not strict JSON.") from ex
    if not isinstance(value, dict):
        raise Failure("bad_request", "The body must be a JSON object.")
    return value


def prompt_of(body: Json) -> Prompt:
    return Prompt(model_of(body), messages_of(body), parameters_of(body))


def model_of(body: Json) -> str:
    model = body.get("model_id")
    if not isinstance(model, str) or not model.strip():
        raise Failure("bad_request", "Validation failed: 'model_id' is required.")
    need(len(model) <= 256, "'model_id' is too long")
    return model


def texts_of(body: Json) -> list[str]:
    """The texts of an embeddings request."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 1 <= len(texts) <= 2048:
        raise Failure("bad_request", "'input' must be 1 to 2048 strings.")
    need(all(isinstance(t, str) and t for t in texts), "'input' has an empty text")
    return texts


def prompts_of(body: Json) -> Iterator[Prompt]:
    """The prompts of a batch, one by one. The message for a malformed one names it."""
    model, inputs = model_of(body), body.get("inputs")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= 1024:
        raise Failure("bad_request", "'inputs' must be an array of 1 to 1024 objects.")
    common = parameters_of(body)
    for number, item in enumerate(inputs):
        at = f"inputs[{number}]"
        need(isinstance(item, dict), f"'{at}' must be an object")
        own = parameters_of(item, f"{at}.")
        yield Prompt(model, messages_of(item, f"{at}."), common | own)


def bound_of(body: Json) -> int:
    """How many prompts of a batch may run at once."""
    bound = body.get("max_concurrency")
    bound = 4 if bound is None else bound
    if type(bound) is not int or bound < 1:
        raise Failure("bad_request", "'max_concurrency' must be at least 1.")
    return min(bound, 32)


def messages_of(fields: Json, at: str = "") -> list[Json]:
    given, data = fields.get("messages"), fields.get("input_data")
    names = f"'{at}messages' and '{at}input_data'"
    need((given is None) != (data is None), f"exactly one of {names} is required")
    if given is None:
        given, at = _from_input_data(data, at), f"{at}input_data"
    else:
        at = f"{at}messages"
    need(isinstance(given, list) and given, f"'{at}' must be a non-empty array")
    return [
        _message(message, f"{at}[{number}]") for number, message in enumerate(given)
    ]


def _from_input_data(data: Any, at: str) -> Any:
    if isinstance(data, dict) and data.get("messages") is not None:
        return data["messages"]
    if isinstance(data, list) and all(_has_role(message) for message in data):
        return data
    if isinstance(data, dict):
        texts = map(data.get, ("text", "prompt"))
        data = next((t for t in texts if isinstance(t, str) and t), data)
    need(data != "", f"'{at}input_data' must not be empty")
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return [{"role": "user", "content": text}]


def _has_role(message: object) -> bool:
    return isinstance(message, dict) and "role" in message


def _message(message: Any, at: str) -> Json:
    need(isinstance(message, dict), f"'{at}' must be an object")
    role, content = message.get("role"), message.get("content")
    need(role in ROLES, f"'{at}.role' is unknown")
    if isinstance(content, list) and content:
        content = "\n".join(_text_of(part, f"'{at}.content'") for part in content)
    need(isinstance(content, str), f"'{at}.content' must be text")
    return {"role": role, "content": content}


def _text_of(part: object, at: str) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        raise Failure("bad_request", f"{at} has a part without a type.")
    need(part["type"] in TEXT, f"{at}: only text is supported", "validation_error")
    text = part.get("text")
    if not isinstance(text, str):
        raise Failure("bad_request", f"{at} has a part without its text.")
    return text


def parameters_of(fields: Json, at: str = "") -> Json:
    given = fields.get("parameters")
    if not isinstance(given, dict | None):
        raise Failure("bad_request", f"'{at}parameters' must be an object.")
    given = {name: value for name, value in (given or {}).items() if value is not None}
    for name, value in given.items():
        _judge(name, value, f"'{at}parameters.{name}'")
    if isinstance(given.get("stop"), str):
        given["stop"] = [given["stop"]]
    return given


def _judge(name: str, value: Any, at: str) -> None:
    need(name not in FORBIDDEN, f"{at} is not allowed")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in RANGES:
        low, high = RANGES[name]
        need(number and low <= value <= high, f"{at} must be {low} to {high}")
    if name in WHOLE:
        whole = number and isinstance(value, int)
        need(whole and (name != "max_tokens" or value >= 1), f"{at} must be whole")
    if name == "stop":
        stops = [value] if isinstance(value, str) else value
        strings = isinstance(stops, list) and all(isinstance(s, str) for s in stops)
        need(strings and len(stops) <= 8, f"{at} must be at most 8 strings")
