"""Ollama's native API, as in Ollama 0.5: `/api/chat` in NDJSON, `/api/embed`, and the older `/api/embeddings`."""

from collections.abc import Mapping, Sequence
from typing import Any

from octomil_conformance.backend.ask import (
    Ask,
    Refused,
    dimensions_of,
    messages_of,
    model_of,
    texts_of,
    to_be_echoed,
    tokens_in,
)
from octomil_conformance.backend.forms import USUAL
from octomil_conformance.backend.response import compact
from octomil_conformance.backend.words import TOKENS_IN_A_TOKEN
from octomil_conformance.exchange import Json

REVISION = "@2026-01-01"
"""Added to the name of the model in answers, as gateways do."""
_CREATED = "2026-01-01T00:00:00Z"

_OPTIONS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "temperature": ((int, float), "float32"),
    "top_p": ((int, float), "float32"),
    "presence_penalty": ((int, float), "float32"),
    "frequency_penalty": ((int, float), "float32"),
    "num_predict": ((int,), "int"),
    "seed": ((int,), "int"),
    "top_k": ((int,), "int"),
    "stop": ((list,), "[]string"),
}
"""Ollama answers 500 to an option of another type."""


def read_chat(body: Mapping[str, Any]) -> Ask:
    messages = [_message(message) for message in messages_of(body)]
    options = _options(body.get("options"))
    limit = options.get("num_predict", 0)
    return Ask(
        model=model_of(body),
        prompt=to_be_echoed(messages),
        texts=None,
        stream=body.get("stream", True) is not False,
        limit=limit if limit > 0 else None,
        prompt_tokens=tokens_in([text for _, text in messages]),
        has_seed="seed" in options,
    )


def read_embed(body: Mapping[str, Any]) -> Ask:
    # Ollama skips empty texts, and answers 200 even if nothing is left.
    texts = [text for text in texts_of(body) if text]
    return Ask(
        *(model_of(body), "", texts, False, None, tokens_in(texts)),
        dimensions=dimensions_of(body),
    )


def read_old_embed(body: Mapping[str, Any]) -> Ask:
    text = body.get("prompt")
    if not isinstance(text, str):
        raise Refused(400, "invalid prompt type")
    return Ask(
        model_of(body), "", [text], False, None, tokens_in([text]), one_vector=True
    )


def _message(message: Json) -> tuple[str, str]:
    content = message.get("content", "")
    if not isinstance(content, str):
        raise Refused(
            400,
            "json: cannot unmarshal array into Go struct field ChatRequest.messages of type string",
        )
    return str(message.get("role")), content


def _options(given: Any) -> Mapping[str, Any]:
    options = {} if given is None else given
    if not isinstance(options, dict):
        raise Refused(
            400,
            "json: cannot unmarshal array into Go struct field ChatRequest.options of type map[string]interface {}",
        )
    for name, value in options.items():
        types, expected = _OPTIONS.get(name, ((object,), ""))
        if not isinstance(value, types):
            raise Refused(500, f'option "{name}" must be of type {expected}')
    return options


class OllamaDialect:
    stream_type = "application/x-ndjson"
    """Content-Type of a streamed answer."""
    failed = ""
    """The reason with which an answer that failed ends; empty if there is no such reason."""
    mark = b""
    """The bytes after the last frame of a stream."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.form = USUAL
        """How answers are written."""

    @property
    def _counts(self) -> bool:
        return self.form.counts != "never"

    def opening(self) -> bytes:
        return b""

    def increment(self, text: str, **more: str) -> Json:
        message = {"role": "assistant", "content": text, **more}
        return self._head(message) | {"done": False}

    def frame(self, value: object) -> bytes:
        """Any JSON as a frame of a stream."""
        return compact(self.form.change(value)) + b"\n"

    def token(self, text: str) -> bytes:
        return self.frame(self.increment(text))

    def thought(self, text: str) -> bytes:
        return self.frame(self.increment("", thinking=text))

    def signs_of_life(self) -> Sequence[bytes]:
        """Bytes that keep a connection awake, and have neither text nor reasoning."""
        return (b"\n", self.token(""))

    def ending(self, reason: str, tokens: int) -> bytes:
        return self.frame(self.whole("", "", reason, tokens))

    def varied(self, tokens: Sequence[str]) -> bytes:
        """A whole stream in other forms: the last text is in the line that ends the answer, beside an error that is null."""
        *first, last = tokens or [""]
        ending = self.whole(last, "", "stop", len(tokens)) | {"error": None}
        return b"".join(map(self.token, ["", *first])) + self.frame(ending)

    def whole(self, text: str, thoughts: str, reason: str, tokens: int) -> Json:
        message = {"role": "assistant", "content": text}
        if thoughts:
            message["thinking"] = thoughts
        # Go leaves out counts that are 0.
        counted = TOKENS_IN_A_TOKEN * tokens
        prompt = 0 if self.form.counts == "half" else self._ask.prompt_tokens
        counts = {"prompt_eval_count": prompt, "eval_count": counted}
        return {
            **self._head(message),
            "done_reason": reason,
            "done": True,
            "total_duration": 1_000_000,
            "load_duration": 1_000,
            **{name: count for name, count in counts.items() if count and self._counts},
        }

    def vectors(self, vectors: Sequence[Sequence[float]]) -> Json:
        if self._ask.one_vector:
            return {"embedding": vectors[0] if vectors else []}
        count = {"prompt_eval_count": self._ask.prompt_tokens} if self._counts else {}
        return {"model": self._ask.model + REVISION, "embeddings": vectors, **count}

    def error(self, status: int, message: str, kind: str) -> Json:
        return {"error": message}

    def other_error(self, message: str) -> Json:
        """An error of the other type: text instead of an object, or an object instead of text."""
        return {"error": {"message": message, "type": "api_error"}}

    def odd_error(self, message: str) -> Json:
        """An error in another form that servers of this kind, and gateways in front of them, send: here beside text."""
        return self.increment(" more") | {"error": message}

    def error_beside_end(self, message: str, tokens: int) -> bytes:
        """A frame that ends an answer and has an error."""
        return self.frame(self.whole("", "", "stop", tokens) | {"error": message})

    def _head(self, message: Json) -> Json:
        return {
            "model": self._ask.model + REVISION,
            "created_at": _CREATED,
            "message": message,
        }
