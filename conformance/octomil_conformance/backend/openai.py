"""The OpenAI-compatible dialect: `/chat/completions` as server-sent events, `/embeddings`."""

import base64
import json
import struct
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
from octomil_conformance.backend.words import TOKENS_IN_A_TOKEN, UNSEEN_TOKENS
from octomil_conformance.exchange import Json, is_number

_CREATED = 1_767_225_600
CHUNK = "chat.completion.chunk"
CODES = ("insufficient_quota",)
"""Kinds of errors that are also their code. Other errors have the status as their code."""
REVISION = "-2026-01-01"
"""Added to the name of the model in answers, as OpenAI does."""
NOTHING: Mapping[str, Any] = {}


def read_chat(body: Mapping[str, Any]) -> Ask:
    messages = [_message(message) for message in messages_of(body)]
    if not messages:
        raise Refused(400, "messages must not be empty")
    options = body.get("stream_options") or {}
    return Ask(
        model=model_of(body),
        prompt=to_be_echoed(messages),
        texts=None,
        stream=body.get("stream") is True,
        limit=_limit(body),
        prompt_tokens=tokens_in([text for _, text in messages]),
        usage_wanted=options.get("include_usage") is True,
        has_seed="seed" in body,
    )


def read_embed(body: Mapping[str, Any]) -> Ask:
    texts = texts_of(body)
    if not texts or "" in texts:
        raise Refused(400, "input must not be empty")
    in_base64 = body.get("encoding_format") == "base64"
    return Ask(
        *(model_of(body), "", texts, False, None, tokens_in(texts)),
        in_base64=in_base64,
        dimensions=dimensions_of(body),
    )


def _message(message: Json) -> tuple[str, str]:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise Refused(400, "content must be a string or an array of parts")
    return str(message.get("role")), content or ""


def _limit(body: Mapping[str, Any]) -> int | None:
    limit = body.get("max_tokens", body.get("max_completion_tokens"))
    if limit is not None and (type(limit) is not int or limit < 1):
        raise Refused(400, "max_tokens must be an integer of at least 1")
    return limit


class OpenAIDialect:
    stream_type = "text/event-stream"
    failed = "error"

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.form = USUAL
        self._said = 0
        self._text = ""
        self._framed = 0

    @property
    def mark(self) -> bytes:
        return b"data: [DONE]\n\n" if self.form.has_mark else b""

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": None})

    def increment(self, text: str) -> Json:
        return self._delta({"content": text})

    def frame(self, value: object) -> bytes:
        event = self.form.events[self._framed % len(self.form.events)]
        self._framed += 1
        data = compact(self.form.change(value))
        if self.form.spread:
            spread = json.dumps(json.loads(data), indent=0).encode()
            data = spread.replace(b"\n", b"\ndata: ")
        return event.replace(b"%b", data)

    def token(self, text: str) -> bytes:
        self._said += 1
        self._text += text
        return self._chunk({"content": text})

    def thought(self, text: str) -> bytes:
        return self._chunk({"reasoning_content": text})

    def signs_of_life(self) -> Sequence[bytes]:
        counted = self.frame(self._delta({}) | self._usage(self._said))
        return (b": keep-alive\n\n", self.opening(), counted)

    def ending(
        self, reason: str, tokens: int, delta: Mapping[str, Any] = NOTHING
    ) -> bytes:
        end = self._delta(delta, reason)
        if self.form.repeats:
            message = {"role": "assistant", "content": self._text}
            end["choices"][0] = {"message": message, "finish_reason": reason}
        last = self.frame(end)
        if self._ask.usage_wanted and self.form.counts in ("at the end", "half"):
            last += self.frame(self._body([], CHUNK) | self._usage(tokens))
        return last + self.mark

    def varied(self, tokens: Sequence[str]) -> bytes:
        """Text beside the role and the reason, a chunk without choices (Azure), an error that is null.

        The events have names, comments, CR LF, and no space after `data:`.
        """
        first, *middle = tokens or [""]
        *middle, last = middle or [""]
        filtered = self._body([], CHUNK) | {"error": None}
        role = self._chunk({"role": "assistant", "content": first})
        others = b"".join(map(self.token, middle))
        ending = self.ending("stop", len(tokens), {"content": last})
        events = self.frame(filtered) + role + b": keep-alive\n\n" + others + ending
        named = events.replace(b"data: ", b"event: message\ndata:")
        return named.replace(b"\n", b"\r\n")

    def whole(self, text: str, thoughts: str, reason: str, tokens: int) -> Json:
        message = {"role": "assistant", "content": text or None}
        if thoughts:
            message["reasoning_content"] = thoughts
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return self._body([choice], "chat.completion") | self._usage(tokens)

    def vectors(self, vectors: Sequence[Sequence[float]]) -> Json:
        data = [
            {"object": "embedding", "index": index, "embedding": self._coded(vector)}
            for index, vector in enumerate(vectors)
        ]
        count = self._ask.prompt_tokens
        usage = {"prompt_tokens": count, "total_tokens": count + UNSEEN_TOKENS}
        return {
            "object": "list",
            "data": data,
            "model": self._ask.model + REVISION,
            **({"usage": usage} if self.form.counts != "never" else {}),
        }

    def _coded(self, vector: Sequence[float]) -> object:
        """The vector as the request asks for it: in base64 it has 32 bits for each number."""
        is_whole = vector is not None and all(map(is_number, vector))
        if not (self._ask.in_base64 and self.form.in_base64 and is_whole):
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    def error(self, status: int, message: str, kind: str) -> Json:
        code = kind if kind in CODES else status
        return {"error": {"message": message, "type": kind, "code": code}}

    def other_error(self, message: str) -> Json:
        return {"error": message}

    def odd_error(self, message: str) -> Json:
        """An error as older versions of vLLM send it."""
        return {"object": "error", "message": message, "type": "server_error"}

    def error_beside_end(self, message: str, tokens: int) -> bytes:
        last = self._delta({"content": ""}, "stop")
        return self.frame(last | self.error(502, message, "server_error")) + self.mark

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        return self.frame(self._delta(delta, reason))

    def _delta(self, delta: Mapping[str, Any], reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        counts = self.form.counts
        is_counted = counts == "always" or (counts == "early" and not reason)
        usage = self._usage(self._said) if is_counted else {}
        return self._body([choice], CHUNK) | usage

    def _body(self, choices: list[Json], kind: str) -> Json:
        return {
            "id": "chatcmpl-conf",
            "object": kind,
            "created": _CREATED,
            "model": self._ask.model + REVISION,
            "choices": choices,
        }

    def _usage(self, tokens: int) -> Json:
        if self.form.counts == "never":
            return {}
        prompt, completion = self._ask.prompt_tokens, TOKENS_IN_A_TOKEN * tokens
        if self.form.counts == "half":
            return {"usage": {"completion_tokens": completion}}
        total = prompt + completion + UNSEEN_TOKENS
        counts = {"prompt_tokens": prompt, "completion_tokens": completion}
        return {"usage": counts | {"total_tokens": total}}
