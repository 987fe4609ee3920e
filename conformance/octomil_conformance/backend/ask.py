"""One request to the scripted backend, as both dialects understand it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from octomil_conformance.backend.words import TOKENS_IN_A_WORD, count_words
from octomil_conformance.exchange import Json


class Refused(Exception):
    """A real server would refuse the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Ask:
    model: str
    prompt: str
    """The text that a chat echoes, with its tag."""
    texts: Sequence[str] | None
    """The texts to embed; None for a chat."""
    stream: bool
    limit: int | None
    """The most tokens that the answer may have."""
    prompt_tokens: int
    usage_wanted: bool = True
    has_seed: bool = False
    in_base64: bool = False
    """True if the vectors are asked for in base64."""
    dimensions: int | None = None
    """The numbers of a vector, if the request says how many."""
    one_vector: bool = False
    """True for Ollama's older API of embeddings, which takes one text."""


def messages_of(body: Mapping[str, Any]) -> list[Json]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(
        isinstance(message, dict) for message in messages
    ):
        raise Refused(400, "messages must be an array of objects")
    return messages


def model_of(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "model is required")
    return model


def texts_of(body: Mapping[str, Any]) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid input type")
    return texts


def dimensions_of(body: Mapping[str, Any]) -> int | None:
    given = body.get("dimensions")
    return given if isinstance(given, int) else None


def to_be_echoed(messages: Sequence[tuple[str, str]]) -> str:
    """The last user message of (role, text) pairs, or else the last message."""
    users = [text for role, text in messages if role == "user"]
    return (users or [text for _, text in messages] or [""])[-1]


def tokens_in(texts: Sequence[str]) -> int:
    return TOKENS_IN_A_WORD * sum(map(count_words, texts))
