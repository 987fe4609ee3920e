"""OpenAI's request bodies as the API's own validated requests. Pure.

Fields of the body that are not listed here are generation parameters, and go to the backend as those of `/inference` do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octomil_ref import payloads
from octomil_ref.errors import BadRequest, UnsupportedModality, invalid
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Message

NOT_SUPPORTED: Mapping[str, tuple[object, ...]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""Fields that can ask for more than text from one choice, with the values that do not and are accepted."""

NO_PARAMETERS = NOT_SUPPORTED.keys() | {
    *("model", "messages", "stream", "stream_options", "max_completion_tokens")
}

ENCODINGS = ("float", "base64")


@dataclass(frozen=True)
class ChatRequest:
    completion: CompletionRequest
    stream: bool
    include_usage: bool
    """True if a stream ends with a chunk that has the usage."""


@dataclass(frozen=True)
class VectorRequest:
    embeddings: EmbeddingsRequest
    base64: bool
    """True if vectors are sent as base64 of little-endian 32-bit floats."""


def parse_chat(body: object) -> ChatRequest:
    """Raises BadRequest with the field as the client wrote it."""
    fields = payloads.as_object("", body)
    for name, value in fields.items():
        if name in NOT_SUPPORTED:
            _refuse(name, value, NOT_SUPPORTED[name])
    stream_options = payloads.as_object(
        "stream_options", fields.get("stream_options") or {}
    )
    return ChatRequest(
        CompletionRequest(
            payloads.read_model_id(fields, "model"),
            _messages(fields.get("messages")),
            _parameters(fields),
        ),
        _switch("stream", fields),
        _switch("include_usage", stream_options, "stream_options."),
    )


def parse_vectors(body: object, max_inputs: int) -> VectorRequest:
    """Raises BadRequest with the field as the client wrote it."""
    fields = payloads.as_object("", body)
    encoding = fields.get("encoding_format") or "float"
    if encoding not in ENCODINGS:
        raise invalid("encoding_format", f"must be one of {', '.join(ENCODINGS)}")
    _refuse("dimensions", fields.get("dimensions"), ())
    _refuse_token_ids(fields.get("input"))
    texts = payloads.read_texts(fields, max_inputs)
    request = EmbeddingsRequest(payloads.read_model_id(fields, "model"), texts)
    return VectorRequest(request, encoding == "base64")


def _refuse(name: str, value: object, harmless: tuple[object, ...]) -> None:
    """Raises BadRequest for a field that the server would ignore, unless its value asks for nothing."""
    if value is None or any(
        value == each and type(value) is type(each) for each in harmless
    ):
        return
    raise invalid(name, "is not supported by this server")


def _refuse_token_ids(value: object) -> None:
    """LangChain sends arrays of token ids unless it is told not to. Only OpenAI's own models know what they mean."""
    if isinstance(value, list) and value and isinstance(value[0], (int, list)):
        raise invalid(
            "input",
            "must be text, not token ids (LangChain: check_embedding_ctx_length=False)",
        )


def _messages(value: object) -> tuple[Message, ...]:
    """As `/inference` reads them."""
    if isinstance(value, list):
        value = [_message(f"messages[{i}]", message) for i, message in enumerate(value)]
    try:
        return payloads.read_messages("messages", value)
    except UnsupportedModality as ex:
        raise BadRequest(ex.message) from ex


def _message(path: str, message: object) -> object:
    """OpenAI renamed the role `system` to `developer`."""
    if not isinstance(message, dict):
        return message
    for name in ("tool_calls", "function_call", "audio"):
        _refuse(f"{path}.{name}", message.get(name), ([],))
    if message.get("role") == "developer":
        return {**message, "role": "system"}
    return message


def _parameters(fields: Mapping[str, Any]) -> payloads.Parameters:
    parameters = {
        name: payloads.read_parameter(name, name, value)
        for name, value in fields.items()
        if name not in NO_PARAMETERS and value is not None
    }
    name = "max_completion_tokens"  # OpenAI's later name for max_tokens
    if (limit := fields.get(name)) is not None:
        if "max_tokens" in parameters:
            raise invalid(name, "and 'max_tokens' exclude each other")
        parameters["max_tokens"] = payloads.read_parameter(name, "max_tokens", limit)
    return parameters


def _switch(name: str, fields: Mapping[str, Any], prefix: str = "") -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(prefix + name, "must be a boolean")
    return bool(value)
