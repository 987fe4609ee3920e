"""Decides which backend answers, Ollama first (spec sections 9 and 10), and limits how many requests wait at once."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from octomil_ref.backends import (
    Backend,
    Completion,
    Embeddings,
    Piece,
    PieceStream,
    Reasoning,
)
from octomil_ref.clock import Deadline
from octomil_ref.errors import (
    RANKED,
    ClientLeft,
    ModelNotFound,
    NotReached,
    Overloaded,
    TimedOut,
    UpstreamError,
)
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest
from octomil_ref.records import AccessRecord, Attempt, asking_for

T = TypeVar("T")

THINKING = 1.0
"""Seconds of thinking after which a stream commits without a token, so that a comment keeps its connection awake."""


class InflightLimit:
    """Limits how many requests wait for a model at once."""

    def __init__(
        self,
        limit: int | None,
        counted: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """A `limit` of None is no limit. Each slot enters the context that `counted` returns."""
        self._slots = threading.BoundedSemaphore(limit or sys.maxsize)
        self._counted = counted

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds one slot. Raises Overloaded at once if none is free."""
        if not self._slots.acquire(blocking=False):
            raise Overloaded(
                "Too many requests are waiting for a model.", {"Retry-After": "1"}
            )
        try:
            with self._counted():
                yield
        finally:
            self._slots.release()


Request = CompletionRequest | EmbeddingsRequest

AskOne = Callable[[Backend, Attempt], T]

Observe = Callable[[Attempt], None]
"""Called with each attempt when it has succeeded or failed, and with each answer that breaks off later."""


@dataclass(frozen=True, eq=False)
class CommittedStream:
    """A stream that has reached its first token, its ending, or a second of thinking. From then on there is no fallback. The caller closes it."""

    first: list[Piece]
    """The pieces with which the stream committed."""
    rest: Iterator[list[Piece]]
    attempt: Attempt
    observe: Observe
    close: Callable[[], None]

    @property
    def provider(self) -> str:
        return self.attempt.provider

    def __iter__(self) -> Iterator[list[Piece]]:
        yield self.first
        try:
            yield from self.rest
        except UpstreamError as ex:
            self.observe(self.attempt.ended(ex, interrupted=True))
            raise


def committed(
    stream: PieceStream, attempt: Attempt, observe: Observe
) -> CommittedStream:
    """Waits until the stream commits. If it fails before, closes it and raises UpstreamError or ClientLeft."""
    pieces = iter(stream)
    try:
        first = _until_commit(pieces)
    except BaseException:
        stream.close()
        raise
    return CommittedStream(first, pieces, attempt, observe, stream.close)


def _until_commit(pieces: Iterator[list[Piece]]) -> list[Piece]:
    """The pieces with which a stream commits. Raises if the stream fails before that."""
    thinking: Deadline | None = None
    while True:
        found = next(pieces)
        if not all(isinstance(piece, Reasoning) for piece in found):
            return found
        thinking = thinking or Deadline(THINKING)
        if thinking.remaining() <= 0:
            return found


class Fallback:
    """All backends as one. Each method raises an UpstreamError if no backend answers."""

    def __init__(
        self, backends: Sequence[Backend], cooldown: float, observe: Observe
    ) -> None:
        self._backends = backends
        self._cooldown = cooldown
        self._observe = observe
        self._cooling: dict[tuple[str, str | None], Deadline] = {}
        """By provider and model; None for all models."""

    def complete(self, request: CompletionRequest, record: AccessRecord) -> Completion:
        return self._ask(request, record, lambda backend, _: backend.complete(request))

    def stream(
        self, request: CompletionRequest, record: AccessRecord
    ) -> CommittedStream:
        def open_stream(backend: Backend, attempt: Attempt) -> CommittedStream:
            return committed(backend.stream(request), attempt, self._observe)

        return self._ask(request, record, open_stream)

    def embed(self, request: EmbeddingsRequest, record: AccessRecord) -> Embeddings:
        return self._ask(request, record, lambda backend, _: backend.embed(request))

    def _ask(self, request: Request, record: AccessRecord, ask_one: AskOne[T]) -> T:
        """The answer of the first backend that succeeds."""
        failures: dict[str, UpstreamError] = {}
        for backend in self._in_order(request.model_id):
            attempt = Attempt(record.request_id, backend.provider, request)
            try:
                with asking_for(record):
                    result = ask_one(backend, attempt)
            except UpstreamError as ex:
                self._observe(attempt.ended(ex))
                self._cool_down(backend, request.model_id, ex)
                if not ex.falls_back:
                    raise
                failures[backend.provider] = ex
            except ClientLeft as ex:
                self._observe(attempt.ended(ex))
                raise
            else:
                self._observe(attempt.ended())
                for model in (request.model_id, None):
                    self._cooling.pop((backend.provider, model), None)
                record.answered_by(backend.provider, backend is not self._backends[0])
                return result
        # The error does not depend on the order in which the backends were asked.
        in_order = {each.provider: failures[each.provider] for each in self._backends}
        failure = error_to_report([*in_order.values()])
        if isinstance(failure, ModelNotFound):
            raise _without_model(request.model_id, in_order)
        raise failure

    def _cool_down(
        self, backend: Backend, model_id: str, failure: UpstreamError
    ) -> None:
        if failure.cools_down:
            # After a timeout the model may still be loading. Other models are not affected.
            model = model_id if isinstance(failure, TimedOut) else None
            # A copy, because other threads begin and end cooldowns meanwhile.
            for key, until in self._cooling.copy().items():
                if until.remaining() <= 0:
                    self._cooling.pop(key, None)
            self._cooling[backend.provider, model] = Deadline(self._cooldown)

    def _in_order(self, model_id: str) -> list[Backend]:
        """The backends in the order in which they are configured, except that those in a cooldown come last."""
        return sorted(self._backends, key=lambda each: self._is_cooling(each, model_id))

    def _is_cooling(self, backend: Backend, model_id: str) -> bool:
        keys = ((backend.provider, None), (backend.provider, model_id))
        found = (self._cooling.get(key) for key in keys)
        return any(each and each.remaining() > 0 for each in found)


def _without_model(model: str, failures: Mapping[str, UpstreamError]) -> ModelNotFound:
    """The error that names the model, and the backends that do not have it."""
    who = [name for name, ex in failures.items() if isinstance(ex, ModelNotFound)]
    return ModelNotFound(f"{' and '.join(who)} did not find the model '{model}'.")


def error_to_report(failures: Sequence[UpstreamError]) -> UpstreamError:
    """The failure that ranks first. Between equals, the shorter Retry-After decides, then the configured order."""
    if not failures:
        return NotReached("No backend is configured.", {"Retry-After": "1"})

    def rank(failure: UpstreamError) -> tuple[int, int]:
        kinds = next(n for n, kinds in enumerate(RANKED) if isinstance(failure, kinds))
        return kinds, int(failure.headers.get("Retry-After", "0"))

    return min(failures, key=rank)
