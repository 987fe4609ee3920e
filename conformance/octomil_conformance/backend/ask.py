"""One request to the scripted backend, as both dialects understand it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from octomil_conformance.backend.forms import Form
from octomil_conformance.backend.words import TOKENS_IN_A_WORD, count_words

Json = dict[str, Any]


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
    one_vector: bool = False
    """True for Ollama's older API of embeddings, which takes one text."""


class Dialect(Protocol):
    """How one kind of upstream writes its answer to one request."""

    stream_type: str
    """Content-Type of a streamed answer."""

    failed: str
    """The reason with which an answer that failed ends; empty if there is no such reason."""

    @property
    def mark(self) -> bytes:
        """The bytes after the last frame of a stream; may be empty."""

    form: Form
    """How answers are written."""

    def opening(self) -> bytes: ...
    def increment(self, text: str) -> Json: ...
    def frame(self, value: object) -> bytes:
        """Any JSON as a frame of a stream."""

    def token(self, text: str) -> bytes: ...
    def thought(self, text: str) -> bytes: ...
    def signs_of_life(self) -> Sequence[bytes]:
        """Bytes that keep a connection awake, and have neither text nor reasoning."""

    def ending(self, reason: str, tokens: int) -> bytes: ...
    def varied(self, tokens: Sequence[str]) -> bytes:
        """A whole stream in the other forms that servers of this kind, and gateways before them, send."""

    def whole(self, text: str, thoughts: str, reason: str, tokens: int) -> Json: ...
    def vectors(self, vectors: Sequence[Sequence[float]]) -> Json: ...
    def error(self, status: int, message: str, kind: str) -> Json: ...
    def other_error(self, message: str) -> Json:
        """An error of the other type: text instead of an object, or an object instead of text."""

    def odd_error(self, message: str) -> Json:
        """An error in another form that servers of this kind, and gateways before them, send."""

    def error_beside_end(self, message: str, tokens: int) -> bytes:
        """A frame that ends an answer and has an error."""


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


def to_be_echoed(messages: Sequence[tuple[str, str]]) -> str:
    """The last user message of (role, text) pairs, or else the last message."""
    users = [text for role, text in messages if role == "user"]
    return (users or [text for _, text in messages] or [""])[-1]


def tokens_in(texts: Sequence[str]) -> int:
    return TOKENS_IN_A_WORD * sum(map(count_words, texts))
