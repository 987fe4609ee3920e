"""Which backend answers: the first that can, in the order of the API's promise (spec sections 9 and 10)."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from octomil_ref.answers import Completion, Embeddings, Piece
from octomil_ref.backends import Backend
from octomil_ref.backends.pieces import PieceStream
from octomil_ref.clock import Deadline
from octomil_ref.errors import ModelNotFound, NotReached, UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest

T = TypeVar("T")


class CommittedStream:
    """A stream whose first pieces are in hand: nothing falls back any more. Whoever holds it closes it."""

    def __init__(self, backend: Backend, request: CompletionRequest) -> None:
        self.provider = backend.provider
        self._stream: PieceStream = backend.stream(request)
        self._pieces = iter(self._stream)
        try:
            self._first = next(self._pieces)
        except BaseException:
            self._stream.close()
            raise

    def __iter__(self) -> Iterator[list[Piece]]:
        yield self._first
        yield from self._pieces

    def close(self) -> None:
        self._stream.close()


class Fallback:
    """All backends as one. Raises the UpstreamError that tells most when none of them answers."""

    def __init__(self, backends: Sequence[Backend], cooldown: float) -> None:
        self._backends = backends
        self._cooldown = cooldown
        self._cooling: dict[str, Deadline] = {}

    def complete(self, request: CompletionRequest) -> Completion:
        return self._first_answer(lambda backend: backend.complete(request))

    def stream(self, request: CompletionRequest) -> CommittedStream:
        return self._first_answer(lambda backend: CommittedStream(backend, request))

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        return self._first_answer(lambda backend: backend.embed(request))

    def _first_answer(self, attempt: Callable[[Backend], T]) -> T:
        failures = []
        for backend in self._in_order():
            try:
                answer = attempt(backend)
            except UpstreamError as ex:
                if ex.cools_down:
                    self._cooling[backend.provider] = Deadline(self._cooldown)
                if not ex.falls_back:
                    raise
                failures.append(ex)
            else:
                self._cooling.pop(backend.provider, None)
                return answer
        raise _most_telling(failures)

    def _in_order(self) -> list[Backend]:
        """The promised order, but those that cool down last: tried late rather than not at all."""
        return sorted(self._backends, key=self._is_cooling)

    def _is_cooling(self, backend: Backend) -> bool:
        cooling = self._cooling.get(backend.provider)
        return cooling is not None and cooling.remaining() > 0


def _most_telling(failures: list[UpstreamError]) -> UpstreamError:
    """A missing model is the answer only when every backend that was asked misses it."""
    if not failures:
        return NotReached("No backend is configured.", {"Retry-After": "1"})
    others = [ex for ex in failures if not isinstance(ex, ModelNotFound)]
    return (others or failures)[-1]
