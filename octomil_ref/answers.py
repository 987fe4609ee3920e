"""What a backend gives back, and the JSON that answers make of it (spec sections 4 to 7). Pure."""

from dataclasses import dataclass

from octomil_ref import json_text


@dataclass(frozen=True)
class Usage:
    """Tokens counted by the model."""

    prompt_tokens: int
    completion_tokens: int

    def to_json(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True)
class Ending:
    """How a completion ended. Also the last piece of a stream."""

    finish_reason: str | None
    """One of FINISH_REASONS, None where the upstream's word is none of them."""
    usage: Usage | None
    """None where the upstream did not count."""

    def to_json(self) -> dict[str, object]:
        """The fields that are known; both are additions to the documented answer."""
        fields: dict[str, object] = {}
        if self.finish_reason is not None:
            fields["finish_reason"] = self.finish_reason
        if self.usage is not None:
            fields["usage"] = self.usage.to_json()
        return fields


FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})


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
    """0 where the upstream did not count."""


@dataclass(frozen=True, slots=True)
class Token:
    """One increment of text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model thought for a while; its thoughts are not part of the answer."""


Piece = Token | Reasoning | Ending
"""What a stream consists of: tokens and reasoning, then one ending."""


def completion_fields(
    completion: Completion, model_id: str, latency_ms: float
) -> dict[str, object]:
    """The answer of `/inference`, and one result of a batch."""
    return {
        "output": completion.output,
        "latency_ms": latency_ms,
        "provider": completion.provider,
        "model_id": model_id,
        **completion.ending.to_json(),
    }


def embeddings_body(embeddings: Embeddings, model_id: str) -> bytes:
    """The answer of `/embeddings` as JSON text.

    Each vector stands in it twice and is most of the work, so it is encoded once.
    """
    vectors = [json_text.write(vector) for vector in embeddings.vectors]
    data = [
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, vector)
        for index, vector in enumerate(vectors)
    ]
    rest = {
        "model": model_id,
        "provider": embeddings.provider,
        "usage": {
            "prompt_tokens": embeddings.prompt_tokens,
            "total_tokens": embeddings.prompt_tokens,
        },
    }
    return b'{"object":"list","data":[%b],"embeddings":[%b],%b' % (
        b",".join(data),
        b",".join(vectors),
        json_text.write(rest)[1:],
    )
