"""Ollama's native API: `/api/chat`, `/api/embed`, `/api/version`. NDJSON when streaming."""

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
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Parameters

TOP_LEVEL_PARAMETERS = ("think", "format", "keep_alive")
"""These stand beside `options` in a request; all others inside."""


class OllamaBackend:
    provider = "ollama"

    def __init__(
        self, base_url: str, timeout: float, aliases: Mapping[str, str]
    ) -> None:
        self._upstream = Upstream(self.provider, base_url, {}, timeout)
        self._aliases = aliases

    def complete(self, request: CompletionRequest) -> Completion:
        response = self._upstream.post("/api/chat", self._chat(request, stream=False))
        body = reading.whole_answer(response)
        with reading.malformed_is_broken(self.provider):
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
        body = reading.whole_answer(self._upstream.post("/api/embed", payload))
        with reading.malformed_is_broken(self.provider):
            vectors = reading.vectors(body["embeddings"], len(request.input))
            return Embeddings(
                vectors, self.provider, reading.count(body.get("prompt_eval_count"))
            )

    def probe(self, timeout: float) -> None:
        reading.whole_answer(self._upstream.get("/api/version", timeout))

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _chat(self, request: CompletionRequest, stream: bool) -> dict[str, Any]:
        return {
            "model": self._name(request.model_id),
            "messages": [message.to_json() for message in request.messages],
            "stream": stream,
            # A thinking model thinks unless told not to, and its content stays empty meanwhile.
            "think": False,
            **_placed(request.parameters),
        }


class _Lines:
    """Reads the lines of one streamed chat."""

    finished = False  # the line that completes an answer is also its last

    def read(self, line: bytes) -> list[Piece]:
        if not line.strip():
            return []
        chunk = reading.json_object(line)
        if "error" in chunk:
            raise reported(OllamaBackend.provider, line)
        pieces = _message_pieces(chunk.get("message") or {})
        if chunk["done"]:
            pieces.append(_ending(chunk))
        return pieces

    def end(self, failure: UpstreamError) -> Ending:
        # Only the line with `done: true` makes an answer complete.
        raise failure


def _message_pieces(message: Mapping[str, Any]) -> list[Piece]:
    pieces: list[Piece] = []
    if message.get("thinking"):
        pieces.append(Reasoning())
    if content := reading.text(message.get("content")):
        pieces.append(Token(content))
    return pieces


def _ending(body: Mapping[str, Any]) -> Ending:
    """Ollama leaves out counts that are 0, and has reasons of its own, such as `load`."""
    reason = body.get("done_reason")
    usage = Usage(
        reading.count(body.get("prompt_eval_count")),
        reading.count(body.get("eval_count")),
    )
    return Ending(reason if reason in FINISH_REASONS else None, usage)


def _placed(parameters: Parameters) -> dict[str, Any]:
    """The parameters where Ollama looks for them, under its names."""
    placed: dict[str, Any] = {
        name: parameters[name] for name in TOP_LEVEL_PARAMETERS if name in parameters
    }
    options = {
        name: value
        for name, value in parameters.items()
        if name not in (*TOP_LEVEL_PARAMETERS, "max_tokens")
    }
    if "max_tokens" in parameters:
        options["num_predict"] = parameters["max_tokens"]
    if options:
        placed["options"] = options
    return placed
