"""OpenAI's bodies: requests as the API's own validated requests, results as responses and events. Pure, except for ids and the clock."""

import base64
import struct
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octomil_ref import json_codec, payloads
from octomil_ref.backends import Completion, Embeddings, Ending
from octomil_ref.errors import BadRequest, Broken, UnsupportedModality, invalid
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Message
from octomil_ref.streaming import event

# Requests. Fields that are not listed here are generation parameters, and go to the backend like those of `/inference`.

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
"""Fields that can ask for more than one text, each with the values that do not. Only these values are accepted."""

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


def parse_chat(body: object) -> ChatRequest:
    """Raises BadRequest with the field as the client wrote it."""
    fields = payloads.as_object("", body)
    for name, value in fields.items():
        if name in NOT_SUPPORTED:
            _refuse(name, value, NOT_SUPPORTED[name])
    options = payloads.as_object("stream_options", fields.get("stream_options") or {})
    return ChatRequest(
        CompletionRequest(
            payloads.read_model_id(fields, "model"),
            _messages(fields.get("messages")),
            _parameters(fields),
        ),
        _switch("stream", fields),
        _switch("include_usage", options, "stream_options."),
    )


def parse_vectors(body: object, max_inputs: int) -> tuple[EmbeddingsRequest, bool]:
    """The request, and True if the client wants its vectors as base64. Raises BadRequest with the field as the client wrote it."""
    fields = payloads.as_object("", body)
    encoding = fields.get("encoding_format") or "float"
    if encoding not in ENCODINGS:
        raise invalid("encoding_format", f"must be one of {', '.join(ENCODINGS)}")
    _refuse("dimensions", fields.get("dimensions"), ())
    _refuse_token_ids(fields.get("input"))
    texts = payloads.read_texts(fields, max_inputs)
    request = EmbeddingsRequest(payloads.read_model_id(fields, "model"), texts)
    return request, encoding == "base64"


def _refuse(name: str, value: object, harmless: tuple[object, ...]) -> None:
    """Raises BadRequest for a field that the server would ignore, unless its value asks for nothing."""
    same = (value == each and type(value) is type(each) for each in harmless)
    if value is not None and not any(same):
        raise invalid(name, "is not supported by this server")


def _refuse_token_ids(value: object) -> None:
    """LangChain sends arrays of token ids by default. Only OpenAI's own models can read them."""
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


# Responses

END_OF_STREAM = b"data: [DONE]\n\n"


def _head(kind: str, model: str) -> dict[str, object]:
    """The fields that are the same in all events of one stream. A whole response has them too."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def chat_completion(completion: Completion, model: str) -> dict[str, object]:
    """The body of a whole response. `provider` is an addition of ours."""
    message = {"role": "assistant", "content": completion.output}
    reason = completion.ending.finish_reason or "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    body = {
        **_head("chat.completion", model),
        "choices": [choice],
        "provider": completion.provider,
    }
    if completion.ending.usage:
        body["usage"] = completion.ending.usage.to_json()
    return body


class ChatEvents:
    """The events of one stream as bytes.

    The Browser, Python and iOS SDKs need the space after `data:`. Node iterates `choices` of every event without
    checking that it is there.
    """

    def __init__(self, model: str, include_usage: bool) -> None:
        self._head = _head("chat.completion.chunk", model)
        self._include_usage = include_usage
        self._first = True
        # Nearly all of a stream is tokens, so the JSON around their text is encoded only once.
        before, _, after = self._chunk({"content": "\0"}).rpartition(b'"\\u0000"')
        self._before_text, self._after_text = before, after

    def token(self, text: str) -> bytes:
        words = json_codec.encode(text)
        return self._role() + self._before_text + words + self._after_text

    def final(self, ending: Ending, latency_ms: float) -> bytes:
        """The finish reason, the usage if it was asked for and is known, and the end mark."""
        events = self._role() + self._chunk({}, ending.finish_reason or "stop")
        if self._include_usage and ending.usage:
            usage = {**self._head, "choices": [], "usage": ending.usage.to_json()}
            events += event(usage)
        return events + END_OF_STREAM

    def interruption(self, error: dict[str, object]) -> bytes:
        """OpenAI's clients raise an APIError when they read it; the broken transfer follows.

        Octomil's Python SDK reads the first choice of every event, and would raise an IndexError if there were none.
        """
        return self._chunk({}, error=error)

    def _role(self) -> bytes:
        if not self._first:
            return b""
        self._first = False
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(
        self, delta: dict[str, object], reason: str | None = None, **more: object
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return event({**self._head, "choices": [choice], **more})


def embeddings(found: Embeddings, model: str, as_base64: bool) -> dict[str, object]:
    write = _base64 if as_base64 else list
    data = [
        {"object": "embedding", "index": index, "embedding": write(vector)}
        for index, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens}
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": usage,
        "provider": found.provider,
    }


def _base64(vector: Sequence[float]) -> str:
    """Little-endian 32-bit floats, as OpenAI's own client asks for."""
    try:
        data = struct.pack(f"<{len(vector)}f", *vector)
    except OverflowError as ex:
        raise Broken("A vector has a number that no 32-bit float holds.") from ex
    return base64.b64encode(data).decode()


def model(model_id: str, provider: str) -> dict[str, object]:
    """`created` is unknown, and OpenAI's clients need an integer."""
    return {"id": model_id, "object": "model", "created": 0, "owned_by": provider}
