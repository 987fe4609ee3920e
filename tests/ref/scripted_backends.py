"""Backends that fail as a test says, and their fallback."""

from dataclasses import dataclass, field

from octomil_ref.backends import Completion, Embeddings, Ending, Token
from octomil_ref.errors import (
    BatchTooLarge,
    ContextTooLong,
    ModalityRefused,
    RequestRefused,
    UpstreamError,
)
from octomil_ref.fallback import Fallback

END = Ending("stop", None)
FINAL = [BatchTooLarge, ContextTooLong, ModalityRefused, RequestRefused]
"""After these no other backend is asked."""

FALL_BACK = [kind for kind in UpstreamError.__subclasses__() if kind not in FINAL]


@dataclass
class Stream:
    """Gives `pieces`, then raises `failure`."""

    pieces: list
    failure: Exception | None = None
    closed: bool = False

    def __iter__(self):
        yield from self.pieces
        if self.failure:
            raise self.failure

    def close(self):
        self.closed = True


@dataclass
class Scripted:
    """A backend whose calls fail with `failures`, one after the other; None stands for an answer, as does the end of the list."""

    provider: str
    failures: list = field(default_factory=list)
    calls: int = 0

    def complete(self, request):
        self._next()
        return Completion("Cherry", self.provider, END)

    def embed(self, request):
        self._next()
        return Embeddings([[1.0]], self.provider, 1)

    def stream(self, request):
        self._next()
        return Stream([[Token("Cherry")], [END]])

    def _next(self):
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure


def both(ollama=(), openai=(), cooldown=5.0, observe=lambda attempt: None):
    """Two backends with their failures, and their fallback."""
    first = Scripted("ollama", list(ollama))
    second = Scripted("openai", list(openai))
    return first, second, Fallback([first, second], cooldown, observe)


def streaming(*streams, observe=lambda attempt: None):
    """The fallback of backends that give these streams."""
    backends = [Scripted("ollama"), Scripted("openai")]
    for backend, stream in zip(backends, streams, strict=False):
        backend.stream = lambda request, stream=stream: stream
    return Fallback(backends[: len(streams)], 5, observe)
