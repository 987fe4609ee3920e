"""Runs many completions on a thread pool; results come in the order of the inputs (spec section 6)."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from octomil_ref import json_codec
from octomil_ref.errors import A_BUG, ApiError, ClientLeft, InternalError, Overloaded
from octomil_ref.payloads import BatchRequest, CompletionRequest
from octomil_ref.records import AccessRecord
from octomil_ref.streaming import TransferCut

log = logging.getLogger("octomil_ref")

HEARTBEAT = 1.0
"""Seconds without a result after which white space is written: proxies keep the connection, and a write shows if the client has left."""

Result = dict[str, object]
RunOne = Callable[[CompletionRequest], Result]
"""Completes one input. May raise ApiError."""


class BatchRun:
    """Runs the inputs of a batch, at most `at_once` at a time, on a pool that all batches share."""

    def __init__(
        self, request: BatchRequest, run_one: RunOne, pool: Executor, at_once: int
    ) -> None:
        self._inputs = request.inputs
        self._run_one = run_one
        self._pool = pool
        self.results: list[Future[Result]] = [Future() for _ in request.inputs]
        self._waiting = iter(range(len(request.inputs)))
        self._abandoned = False
        for _ in range(at_once):
            self._start_next()

    def abandon(self) -> None:
        """Starts no further input."""
        self._abandoned = True

    def failed(self) -> int:
        """How many inputs have failed so far."""
        done = [each for each in self.results if each.done() and not each.exception()]
        return sum("error" in future.result() for future in done)

    def _start_next(self) -> None:
        for index in self._waiting:
            try:
                self._pool.submit(self._run, index)
                return
            except RuntimeError:  # the server stops, or can start no thread
                refused = Overloaded("The server could not start this input.")
                self.results[index].set_result({"error": refused.envelope()})

    def _run(self, index: int) -> None:
        try:
            result = self._result(self._inputs[index])
        except ClientLeft as ex:
            self.abandon()
            self.results[index].set_exception(ex)
        else:
            self.results[index].set_result(result)
            self._start_next()

    def _result(self, request: CompletionRequest) -> Result:
        if self._abandoned:
            raise ClientLeft
        try:
            return self._run_one(request)
        except ClientLeft:
            raise
        except ApiError as ex:
            return {"error": ex.envelope()}
        except Exception:
            log.exception("unexpected")
            return {"error": InternalError(A_BUG).envelope()}


@dataclass(eq=False)
class BatchBody:
    """The answer, written as its results become ready. The WSGI server iterates it, then closes it.

    If the process dies meanwhile, the client gets JSON that does not parse, never a short list.
    """

    model_id: str
    run: BatchRun
    record: AccessRecord
    release: Callable[[], None]

    def __post_init__(self) -> None:
        # It stays `client_left` if the server closes the body before its end.
        self.record.ended = "client_left"

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"model_id":' + json_codec.encode(self.model_id) + b',"results":['
        for index, future in enumerate(self.run.results):
            while not wait([future], HEARTBEAT).done:
                yield b"\n"
            try:
                result = {"index": index, **future.result()}
            except ClientLeft as ex:
                raise TransferCut from ex
            yield (b"," if index else b"") + json_codec.encode(result)
        self.record.ended = "complete"
        failed = self.run.failed()
        summary = {
            "succeeded": len(self.run.results) - failed,
            "failed": failed,
            "latency_ms": self.record.elapsed_ms(),
        }
        yield b"]," + json_codec.encode(summary)[1:]

    def close(self) -> None:
        self.run.abandon()
        self.record.failed = self.run.failed()
        self.release()
