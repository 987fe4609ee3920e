"""Records of one request, and of one attempt at a backend. The log and the metrics are made from them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Self

from octomil_ref.backends import Ending, Usage
from octomil_ref.clients import NOBODY, Client
from octomil_ref.clock import stopwatch
from octomil_ref.errors import ClientLeft, UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest


@dataclass
class AccessRecord:
    """One request. Its log line has these fields in this order, without those that are None."""

    request_id: str
    method: str
    path: str
    status: int = 0
    duration_ms: float = 0.0
    key: str | None = None
    """The name of the client's key."""
    model: str | None = None
    provider: str | None = None
    """The backend that answered: `ollama`, `openai`, or in a batch both, separated by a comma."""
    fallback: bool | None = None
    """True if the backend that answered is not the first one."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """The usage as the models counted it; for a batch, the sum for its inputs."""
    events: int | None = None
    """Events with a token in a stream."""
    first_token_ms: float | None = None
    failed: int | None = None
    """Inputs of a batch that failed."""
    ended: str | None = None
    """How a stream or batch ended: `complete`, or `interrupted` by the upstream or a bug. Any request can have `client_left`."""
    ignored: str | None = None
    """Parameters that the upstream does not support: it answered without them."""
    error: str | None = None
    """The code of the error."""

    def __post_init__(self) -> None:
        self.passed_on: Mapping[str, str] = {"X-Request-Id": self.request_id}
        """Headers that identify the request to other systems. They are sent to the upstream."""
        self.elapsed_ms = stopwatch()  # milliseconds since the request arrived
        self.client = NOBODY  # the client that waits for the response
        self.endpoint: str | None = None
        """The route of the path, such as `/v1/models/{model_id:path}`. None if there is nothing at the path."""
        self.is_polled = False  # a health check, or a request for the metrics
        self._lock = threading.Lock()  # the inputs of a batch run at once

    def answered_by(self, provider: str, fallback: bool) -> None:
        with self._lock:
            providers = {*(self.provider or provider).split(","), provider}
            self.provider = ",".join(sorted(providers))
            self.fallback = self.fallback or fallback or None

    def add_ending(self, ending: Ending) -> None:
        if ending.usage:
            self.add_usage(ending.usage)
        if ending.ignored_parameters:
            with self._lock:
                known = self.ignored.split(",") if self.ignored else []
                names = dict.fromkeys([*known, *ending.ignored_parameters])
                self.ignored = ",".join(names)

    def add_usage(self, usage: Usage) -> None:
        with self._lock:
            prompt, completion = self.prompt_tokens or 0, self.completion_tokens or 0
            self.prompt_tokens = prompt + usage.prompt_tokens
            self.completion_tokens = completion + usage.completion_tokens


Failure = UpstreamError | ClientLeft


@dataclass
class Attempt:
    """One request to one backend."""

    request_id: str
    provider: str
    request: CompletionRequest | EmbeddingsRequest
    duration_ms: float = 0.0
    failure: Failure | None = None
    """None if the backend answered."""
    interrupted: bool = False
    """True if the answer had begun when it failed."""

    def __post_init__(self) -> None:
        self._elapsed_ms = stopwatch()

    def ended(self, failure: Failure | None = None, interrupted: bool = False) -> Self:
        self.duration_ms = self._elapsed_ms()
        self.failure, self.interrupted = failure, interrupted
        return self


_current: ContextVar[AccessRecord] = ContextVar("current")


@contextmanager
def asking_for(record: AccessRecord) -> Iterator[None]:
    """A context in which requests to upstreams belong to this record: they have its headers, and end when its client leaves."""
    before = _current.set(record)
    try:
        yield
    finally:
        _current.reset(before)


def asked_by() -> tuple[Client, Mapping[str, str]]:
    """The client for which this thread now asks upstreams, and the headers that are passed on to them."""
    record = _current.get(None)
    return (record.client, record.passed_on) if record else (NOBODY, {})
