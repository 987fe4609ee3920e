"""The interface of all backends, and the values that it returns (spec sections 4 to 7). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest


@dataclass(frozen=True)
class Usage:
    """Tokens as the model counted them."""

    prompt_tokens: int
    completion_tokens: int

    def to_json(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})


@dataclass(frozen=True)
class Ending:
    """How a completion ended. It is the last piece of a stream."""

    finish_reason: str | None
    """One of FINISH_REASONS; None if the upstream gave another reason or none."""
    usage: Usage | None
    """None if the upstream did not count."""
    ignored_parameters: tuple[str, ...] = ()
    """The client's parameters that the upstream does not support: it answered without them."""

    def to_json(self) -> dict[str, object]:
        """The known fields. All are additions to the documented answer."""
        fields: dict[str, object] = {}
        if self.finish_reason is not None:
            fields["finish_reason"] = self.finish_reason
        if self.usage is not None:
            fields["usage"] = self.usage.to_json()
        if self.ignored_parameters:
            fields["ignored_parameters"] = list(self.ignored_parameters)
        return fields


@dataclass(frozen=True)
class Completion:
    """The whole answer to one request."""

    output: str
    provider: str
    ending: Ending


@dataclass(frozen=True)
class Embeddings:
    vectors: list[list[float]]
    """One for each input, in input order: finite numbers, all of one dimension."""
    provider: str
    prompt_tokens: int
    """0 if the upstream did not count."""


@dataclass(frozen=True, slots=True)
class Token:
    """One increment of text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model is thinking. Its thoughts are not part of the answer."""


Piece = Token | Reasoning | Ending
"""A stream consists of tokens and reasoning, then one ending."""


class PieceStream(Protocol):
    """The pieces of one streamed answer. The caller closes it, which also stops the upstream."""

    def __iter__(self) -> Iterator[list[Piece]]:
        """Yields pieces that arrived together in one list. Raises UpstreamError if the stream fails."""

    def close(self) -> None: ...


class Backend(Protocol):
    """Each call is one attempt, and every failure is an UpstreamError. Threads may share a backend."""

    provider: str
    """The label in answers: `ollama` or `openai`."""

    def complete(self, request: CompletionRequest) -> Completion: ...

    def stream(self, request: CompletionRequest) -> PieceStream:
        """Returns once the upstream has accepted the request."""

    def embed(self, request: EmbeddingsRequest) -> Embeddings: ...

    def models(self, timeout: float) -> list[str]:
        """The names that the upstream lists, within `timeout` seconds."""

    def probe(self, timeout: float) -> str | None:
        """Raises UpstreamError unless the upstream can be asked within `timeout` seconds. Returns a hint for the operator, or None."""
