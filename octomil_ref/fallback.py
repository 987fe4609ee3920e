"""Which backend answers: the first that can, in the promised order (spec sections 9 and 10). And how many requests at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from octomil_ref.backends import Backend, Completion, Embeddings, Piece, PieceStream
from octomil_ref.clock import Deadline
from octomil_ref.errors import ModelNotFound, NotReached, Overloaded, UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest

T = TypeVar("T")


class InflightLimit:
    """Limits how many requests wait for a model at once."""

    def __init__(self, limit: int | None) -> None:
        """None: no limit."""
        self._limit = limit
        self._slots = threading.BoundedSemaphore(limit or 1)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds one slot. Raises Overloaded at once if none is free."""
        if self._limit is None:
            yield
            return
        if not self._slots.acquire(blocking=False):
            raise Overloaded(
                "Too many requests are waiting for a model.", {"Retry-After": "1"}
            )
        try:
            yield
        finally:
            self._slots.release()


class CommittedStream:
    """A stream whose first pieces have arrived, after which there is no fallback. The caller closes it."""

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
    """All backends as one. Each method raises an UpstreamError if no backend answers."""

    def __init__(self, backends: Sequence[Backend], cooldown: float) -> None:
        self._backends = backends
        self._cooldown = cooldown
        self._cooling: dict[str, Deadline] = {}

    def complete(self, request: CompletionRequest) -> Completion:
        return self._first_success(lambda backend: backend.complete(request))

    def stream(self, request: CompletionRequest) -> CommittedStream:
        return self._first_success(lambda backend: CommittedStream(backend, request))

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        return self._first_success(lambda backend: backend.embed(request))

    def _first_success(self, attempt: Callable[[Backend], T]) -> T:
        failures = []
        for backend in self._in_order():
            try:
                result = attempt(backend)
            except UpstreamError as ex:
                if ex.cools_down:
                    self._cooling[backend.provider] = Deadline(self._cooldown)
                if not ex.falls_back:
                    raise
                failures.append(ex)
            else:
                self._cooling.pop(backend.provider, None)
                return result
        raise _error_to_report(failures)

    def _in_order(self) -> list[Backend]:
        """The promised order, except that backends which cool down come last: better late than not at all."""
        return sorted(self._backends, key=self._is_cooling)

    def _is_cooling(self, backend: Backend) -> bool:
        cooling = self._cooling.get(backend.provider)
        return cooling is not None and cooling.remaining() > 0


def _error_to_report(failures: list[UpstreamError]) -> UpstreamError:
    """The last failure. But a missing model is reported only if no backend has the model."""
    if not failures:
        return NotReached("No backend is configured.", {"Retry-After": "1"})
    others = [ex for ex in failures if not isinstance(ex, ModelNotFound)]
    return (others or failures)[-1]
