"""The API's results as OpenAI's response bodies and stream events. Pure, except for ids and the clock."""

import base64
import struct
import time
import uuid
from collections.abc import Sequence

from octomil_ref import json_codec
from octomil_ref.backends import Completion, Embeddings, Ending
from octomil_ref.errors import Broken
from octomil_ref.streaming import event

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
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": completion.ending.finish_reason or "stop",
    }
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

    The Browser, Python and iOS SDKs need the space after `data:`. Node iterates `choices` of every event without a look
    whether it is there.
    """

    def __init__(self, model: str, include_usage: bool) -> None:
        self._head = _head("chat.completion.chunk", model)
        self._include_usage = include_usage
        self._first = True
        # A stream consists of tokens, so what is around their text is written once.
        before, _, after = self._chunk({"content": "\0"}).partition(b'"\\u0000"')
        self._before_text, self._after_text = before, after

    def token(self, text: str) -> bytes:
        event = b"%b%b%b" % (
            self._before_text,
            json_codec.encode(text),
            self._after_text,
        )
        return self._role() + event

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
        return event({**self._chunk_fields({}, None), "error": error})

    def _role(self) -> bytes:
        if not self._first:
            return b""
        self._first = False
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(
        self, delta: dict[str, object], finish_reason: str | None = None
    ) -> bytes:
        return event(self._chunk_fields(delta, finish_reason))

    def _chunk_fields(
        self, delta: dict[str, object], finish_reason: str | None
    ) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._head, "choices": [choice]}


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
