"""Ollama's native API: `/api/chat`, `/api/embed`, `/api/version`. NDJSON when streaming."""

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
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Parameters

TOP_LEVEL = ("think", "format", "keep_alive")
"""Parameters that Ollama expects beside `options`. All others belong inside."""


class OllamaBackend:
    provider = "ollama"

    def __init__(
        self, base_url: str, timeout: float, aliases: Mapping[str, str]
    ) -> None:
        self._upstream = Upstream(self.provider, base_url, {}, timeout)
        self._aliases = aliases

    def complete(self, request: CompletionRequest) -> Completion:
        response = self._upstream.post("/api/chat", self._chat(request, stream=False))
        with reading.whole_answer(response) as body:
            if not body["done"]:
                raise ValueError("the answer is not complete")
            output = reading.text(body["message"].get("content"))
            return Completion(output, self.provider, _ending(body))

    def stream(self, request: CompletionRequest) -> PieceStream:
        response = self._upstream.post("/api/chat", self._chat(request, stream=True))
        reading.require_success(response)
        return StreamedAnswer(response, _Lines(), self._upstream.timeout)

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        payload = {"model": self._name(request.model_id), "input": request.input}
        response = self._upstream.post("/api/embed", payload)
        with reading.whole_answer(response) as body:
            vectors = reading.vectors(body["embeddings"], len(request.input))
            tokens = reading.count(body.get("prompt_eval_count"))
            return Embeddings(vectors, self.provider, tokens)

    def probe(self, timeout: float) -> None:
        with reading.whole_answer(self._upstream.get("/api/version", timeout)):
            pass

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _chat(self, request: CompletionRequest, stream: bool) -> dict[str, Any]:
        return {
            "model": self._name(request.model_id),
            "messages": [message.to_json() for message in request.messages],
            "stream": stream,
            # Else a thinking model thinks first, and its content stays empty meanwhile.
            "think": False,
            **_placed(request.parameters),
        }


class _Lines:
    """Reads the lines of one streamed chat."""

    finished = False  # the line that completes an answer is its last

    def read(self, line: bytes) -> list[Piece]:
        if not line.strip():
            return []
        chunk = reading.json_object(line)
        if "error" in chunk:
            raise reported(OllamaBackend.provider, line)
        message = chunk.get("message") or {}
        pieces = reading.pieces(message.get("thinking"), message.get("content"))
        if chunk["done"]:
            pieces.append(_ending(chunk))
        return pieces

    def end(self, failure: UpstreamError) -> Ending:
        # Only a line with `done: true` completes an answer.
        raise failure


def _ending(body: Mapping[str, Any]) -> Ending:
    """Ollama omits counts that are 0, and has reasons of its own, such as `load`."""
    usage = Usage(
        reading.count(body.get("prompt_eval_count")),
        reading.count(body.get("eval_count")),
    )
    return Ending(reading.finish_reason(body.get("done_reason")), usage)


def _placed(parameters: Parameters) -> dict[str, Any]:
    """The parameters where Ollama expects them, under its names."""
    names = {"max_tokens": "num_predict"}
    beside = {name: parameters[name] for name in TOP_LEVEL if name in parameters}
    options = {
        names.get(name, name): value
        for name, value in parameters.items()
        if name not in TOP_LEVEL
    }
    return {**beside, "options": options} if options else beside
