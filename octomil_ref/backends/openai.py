"""The OpenAI-compatible dialect: `/chat/completions`, `/embeddings`, `/models`. Server-sent events when streaming."""

from collections.abc import Mapping
from typing import Any

from octomil_ref.backends import (
    FINISH_REASONS,
    Completion,
    Embeddings,
    Ending,
    Piece,
    PieceStream,
    Reasoning,
    Token,
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
        body = reading.whole_answer(response)
        with reading.malformed_is_broken(self.provider):
            choice = body["choices"][0]
            output = reading.text(choice["message"].get("content"))
            return Completion(
                output,
                self.provider,
                Ending(_reason(choice.get("finish_reason")), _usage(body)),
            )

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
        body = reading.whole_answer(self._upstream.post("/embeddings", payload))
        with reading.malformed_is_broken(self.provider):
            found = {item["index"]: item["embedding"] for item in body["data"]}
            in_order = [found[index] for index in range(len(body["data"]))]
            vectors = reading.vectors(in_order, len(request.input))
            usage = _usage(body)
            return Embeddings(
                vectors, self.provider, usage.prompt_tokens if usage else 0
            )

    def probe(self, timeout: float) -> None:
        reading.whole_answer(self._upstream.get("/models", timeout))

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _chat(self, request: CompletionRequest) -> dict[str, Any]:
        return {
            **request.parameters,
            "model": self._name(request.model_id),
            "messages": [message.to_json() for message in request.messages],
        }


class _Lines:
    """Reads the lines of one streamed chat. It is complete once a finish_reason was seen; `[DONE]` alone proves nothing."""

    def __init__(self) -> None:
        self.finished = False
        self._reason: str | None = None
        self._usage: Usage | None = None

    def read(self, line: bytes) -> list[Piece]:
        if not line.startswith(b"data:"):
            return []  # a blank line, a comment, an event's name
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
            # The usage stands in a chunk of its own, behind the last choice.
            return [self._ending()] if self.finished and self._usage else []
        choice = chunk["choices"][0]
        if choice.get("finish_reason") is not None:
            self.finished = True
            self._reason = _reason(choice["finish_reason"])
        return _delta_pieces(choice.get("delta") or {})

    def _ending(self) -> Ending:
        return Ending(self._reason, self._usage)


def _delta_pieces(delta: Mapping[str, Any]) -> list[Piece]:
    pieces: list[Piece] = []
    if delta.get("reasoning_content") or delta.get("reasoning"):
        pieces.append(Reasoning())
    if content := reading.text(delta.get("content")):
        pieces.append(Token(content))
    return pieces


def _reason(value: object) -> str | None:
    return value if isinstance(value, str) and value in FINISH_REASONS else None


def _usage(body: Mapping[str, Any]) -> Usage | None:
    usage = body.get("usage")
    if usage is None:
        return None
    return Usage(
        reading.count(usage.get("prompt_tokens")),
        reading.count(usage.get("completion_tokens")),
    )
