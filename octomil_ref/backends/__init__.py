"""Backends: each speaks one upstream's dialect, and all look the same from outside."""

from typing import Protocol

from octomil_ref.answers import Completion, Embeddings
from octomil_ref.backends.pieces import PieceStream
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest


class Backend(Protocol):
    """One attempt a call. Every failure is an UpstreamError; safe to use from many threads at once."""

    provider: str
    """The label that answers carry: `ollama` or `openai`."""

    def complete(self, request: CompletionRequest) -> Completion: ...

    def stream(self, request: CompletionRequest) -> PieceStream:
        """The upstream has accepted the request; its pieces are still to come. The caller closes the stream."""

    def embed(self, request: EmbeddingsRequest) -> Embeddings: ...

    def probe(self, timeout: float) -> None:
        """Returns when the upstream is ready to be asked; `timeout` in seconds."""
