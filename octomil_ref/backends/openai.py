"""The OpenAI-compatible dialect: `/chat/completions`, `/embeddings`, `/models`. Server-sent events when streaming."""

from collections.abc import Mapping
from typing import Any

from octomil_ref.backends import (
    Completion,
    Embeddings,
    Ending,
    Piece,
    PieceStream,
    Usage,
    reading,
)
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.reading import StreamedAnswer
from octomil_ref.backends.refusals import reported
from octomil_ref.errors import UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest


class OpenAIBackend:
    provider = "openai"

    def __init__(
        self, base_url: str, api_key: str, timeout: float, aliases: Mapping[str, str]
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._upstream = Upstream(self.provider, base_url, headers, timeout)
        self._aliases = aliases

    def complete(self, request: CompletionRequest) -> Completion:
        response = self._upstream.post("/chat/completions", self._chat(request))
        with reading.whole_answer(response) as body:
            choice = body["choices"][0]
            output = reading.text(choice["message"].get("content"))
            reason = reading.finish_reason(choice.get("finish_reason"))
            return Completion(output, self.provider, Ending(reason, _usage(body)))

    def stream(self, request: CompletionRequest) -> PieceStream:
        payload = self._chat(request) | {
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        response = self._upstream.post("/chat/completions", payload)
        reading.require_success(response)
        return StreamedAnswer(response, _Lines(), self._upstream.timeout)

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        payload = {
            "model": self._name(request.model_id),
            "input": request.input,
            "encoding_format": "float",
        }
        response = self._upstream.post("/embeddings", payload)
        with reading.whole_answer(response) as body:
            by_index = {item["index"]: item["embedding"] for item in body["data"]}
            in_order = [by_index[index] for index in range(len(body["data"]))]
            vectors = reading.vectors(in_order, len(request.input))
            usage = _usage(body)
            tokens = usage.prompt_tokens if usage else 0
            return Embeddings(vectors, self.provider, tokens)

    def probe(self, timeout: float) -> None:
        with reading.whole_answer(self._upstream.get("/models", timeout)):
            pass

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _chat(self, request: CompletionRequest) -> dict[str, Any]:
        return {
            **request.parameters,
            "model": self._name(request.model_id),
            "messages": [message.to_json() for message in request.messages],
        }


class _Lines:
    """Reads the lines of one streamed chat, which is complete once it has a finish_reason: `[DONE]` alone proves nothing."""

    def __init__(self) -> None:
        self.finished = False
        self._reason: str | None = None
        self._usage: Usage | None = None

    def read(self, line: bytes) -> list[Piece]:
        if not line.startswith(b"data:"):
            return []  # a blank line, a comment or the name of an event
        data = line[5:].strip()
        if data == b"[DONE]":
            return [self._ending()] if self.finished else []
        chunk = reading.json_object(data)
        if chunk.get("error"):
            raise reported(OpenAIBackend.provider, data)
        return self._chunk(chunk)

    def end(self, failure: UpstreamError) -> Ending:
        if not self.finished:
            raise failure
        return self._ending()

    def _chunk(self, chunk: dict[str, Any]) -> list[Piece]:
        self._usage = _usage(chunk) or self._usage
        if not chunk.get("choices"):
            # The usage comes in a chunk of its own, after the last choice.
            return [self._ending()] if self.finished and self._usage else []
        choice = chunk["choices"][0]
        if choice.get("finish_reason") is not None:
            self.finished = True
            self._reason = reading.finish_reason(choice["finish_reason"])
        delta = choice.get("delta") or {}
        thoughts = delta.get("reasoning_content") or delta.get("reasoning")
        return reading.pieces(thoughts, delta.get("content"))

    def _ending(self) -> Ending:
        return Ending(self._reason, self._usage)


def _usage(body: Mapping[str, Any]) -> Usage | None:
    usage = body.get("usage")
    if usage is None:
        return None
    return Usage(
        reading.count(usage.get("prompt_tokens")),
        reading.count(usage.get("completion_tokens")),
    )
