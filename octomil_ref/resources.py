"""One class per endpoint: HTTP in, HTTP out, nothing else."""

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from falcon import Request, Response

from octomil_ref import __version__, backends, json_codec, streaming
from octomil_ref.backends import Completion, Usage
from octomil_ref.batch import BatchBody, BatchRun
from octomil_ref.body import read_json
from octomil_ref.clock import stopwatch
from octomil_ref.fallback import Fallback, InflightLimit
from octomil_ref.health import HealthCheck
from octomil_ref.metrics import Metrics
from octomil_ref.page import Document
from octomil_ref.payloads import (
    CompletionRequest,
    EmbeddingsRequest,
    parse_batch,
    parse_completion,
    parse_embeddings,
)
from octomil_ref.records import AccessRecord
from octomil_ref.settings import Settings
from octomil_ref.streaming import Events, EventStream, TokenEvents


@dataclass(frozen=True)
class Gateway:
    """Reads a body, asks the backends within the limit, and notes the model and the usage in the record of the request."""

    fallback: Fallback
    limit: InflightLimit
    settings: Settings

    def body(self, req: Request) -> object:
        return read_json(req, self.settings.max_body_bytes)

    def complete(self, request: CompletionRequest, record: AccessRecord) -> Completion:
        record.model = request.model_id
        with self.limit.slot():
            completion = self.fallback.complete(request, record)
        record.add_ending(completion.ending)
        return completion

    def stream(
        self,
        request: CompletionRequest,
        record: AccessRecord,
        events_of: Callable[[str], Events],
    ) -> EventStream:
        """`events_of` is called with the provider that answers."""
        record.model = request.model_id
        with ExitStack() as held:
            held.enter_context(self.limit.slot())
            opened = self.fallback.stream(request, record)
            held.callback(opened.close)
            events = events_of(opened.provider)
            return EventStream(opened, events, record, held.pop_all().close)

    def embed(
        self, request: EmbeddingsRequest, record: AccessRecord
    ) -> backends.Embeddings:
        record.model = request.model_id
        with self.limit.slot():
            embeddings = self.fallback.embed(request, record)
        record.add_usage(Usage(embeddings.prompt_tokens, 0))
        return embeddings


@dataclass(frozen=True)
class Inference:
    """POST /api/v1/inference: one prompt, one whole answer."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        request = parse_completion(self.gateway.body(req))
        record: AccessRecord = req.context.record
        completion = self.gateway.complete(request, record)
        resp.data = json_codec.encode(
            completion_fields(completion, request.model_id, record.elapsed_ms())
        )


@dataclass(frozen=True)
class InferenceStream:
    """POST /api/v1/inference/stream: one prompt, its answer token by token."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        request = parse_completion(self.gateway.body(req))
        record: AccessRecord = req.context.record
        send_events(resp, self.gateway.stream(request, record, TokenEvents))


def send_events(resp: Response, stream: EventStream) -> None:
    """Call it last: a stream that an error replaces would never be closed, and would keep its slot."""
    resp.content_type = streaming.CONTENT_TYPE
    resp.set_header("Cache-Control", "no-cache, no-transform")
    resp.set_header("X-Accel-Buffering", "no")
    resp.stream = stream


@dataclass(frozen=True)
class Batch:
    """POST /api/v1/inference/batch: many prompts, their answers in order."""

    gateway: Gateway
    pool: Executor
    """Shared by all batches."""

    def on_post(self, req: Request, resp: Response) -> None:
        settings = self.gateway.settings
        request = parse_batch(self.gateway.body(req), settings.batch_max_inputs)
        record: AccessRecord = req.context.record
        record.model = request.model_id
        with ExitStack() as held:
            held.enter_context(self.gateway.limit.slot())  # one for the whole batch
            at_once = min(request.max_concurrency, settings.batch_max_concurrency)
            run_one = partial(self._run_one, record)
            run = BatchRun(request, run_one, self.pool, at_once)
            close = held.pop_all().close
        resp.stream = BatchBody(request.model_id, run, record, close)

    def _run_one(
        self, record: AccessRecord, request: CompletionRequest
    ) -> dict[str, object]:
        elapsed_ms = stopwatch()
        completion = self.gateway.fallback.complete(request, record)
        record.add_ending(completion.ending)
        return completion_fields(completion, request.model_id, elapsed_ms())


@dataclass(frozen=True)
class Embeddings:
    """POST /api/v1/embeddings: texts in, vectors out."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        most = self.gateway.settings.embeddings_max_inputs
        request = parse_embeddings(self.gateway.body(req), most)
        embeddings = self.gateway.embed(request, req.context.record)
        resp.data = embeddings_body(embeddings, request.model_id)


@dataclass(frozen=True)
class Health:
    """GET /api/v1/inference/health: whether any backend is usable."""

    public: ClassVar = True
    is_polled: ClassVar = True

    health: HealthCheck

    def on_get(self, req: Request, resp: Response) -> None:
        report = self.health.report()
        resp.status = 503 if report["status"] == "unavailable" else 200
        resp.data = json_codec.encode(report)

    on_head = on_get


class Liveness:
    """GET /health and /api/v1/health: the process is up, whatever its backends do."""

    public = True
    is_polled = True

    def on_get(self, req: Request, resp: Response) -> None:
        resp.data = json_codec.encode({"status": "ok", "version": __version__})

    on_head = on_get


@dataclass(frozen=True)
class Exposition:
    """GET /metrics: what Prometheus reads."""

    is_polled: ClassVar = True

    metrics: Metrics
    public: bool

    def on_get(self, req: Request, resp: Response) -> None:
        resp.data, resp.content_type = self.metrics.exposition()

    on_head = on_get


@dataclass(frozen=True)
class Static:
    """GET / and /openapi.json: fixed bytes that need no token."""

    public: ClassVar = True

    document: Document

    def on_get(self, req: Request, resp: Response) -> None:
        resp.set_headers(self.document.headers)
        resp.etag = self.document.etag
        tags = req.if_none_match or ()
        if self.document.etag in tags or "*" in tags:
            resp.status = 304
        else:
            resp.content_type = self.document.content_type
            resp.data = self.document.data

    on_head = on_get


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


def embeddings_body(embeddings: backends.Embeddings, model_id: str) -> bytes:
    """The answer of `/embeddings` as JSON text.

    It holds each vector twice. Encoding vectors is most of the work, so each is encoded once.
    """
    vectors = [json_codec.encode(vector) for vector in embeddings.vectors]
    data = [
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, vector)
        for index, vector in enumerate(vectors)
    ]
    tokens = embeddings.prompt_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    rest = {"model": model_id, "provider": embeddings.provider, "usage": usage}
    return b'{"object":"list","data":[%b],"embeddings":[%b],%b' % (
        b",".join(data),
        b",".join(vectors),
        json_codec.encode(rest)[1:],
    )
