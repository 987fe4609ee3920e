"""A conformant server of the API: a function of a request, to an answer. Each name in faults.py switches on one bug."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from octomil_conformance.server.clock import milliseconds_since
from octomil_conformance.server.event_stream import EventStream
from octomil_conformance.server.failures import CHALLENGE, Failure
from octomil_conformance.server.gateway import Gateway
from octomil_conformance.server.layers import MAX_BODY, Answer, Json, Request
from octomil_conformance.server.payloads import (
    Prompt,
    bound_of,
    model_of,
    parse_json,
    prompt_of,
    prompts_of,
    texts_of,
)

JSON = "application/json"
GET = ("GET", "HEAD")
POST = ("POST",)


class App:
    """`token` empty: nobody needs one."""

    def __init__(
        self, gateway: Gateway, token: str = "", faults: frozenset[str] = frozenset()
    ) -> None:
        self._gateway, self._token, self._faults = gateway, token, faults
        self._lent = ""
        self._posts: Mapping[str, Callable[[Json], Answer]] = {
            "/api/v1/inference": self._inference,
            "/api/v1/inference/stream": self._stream,
            "/api/v1/inference/batch": self._batch,
            "/api/v1/embeddings": self._embeddings,
        }
        self._gets: Mapping[str, Callable[[], Answer]] = {
            "/api/v1/inference/health": self._health,
            "/api/v1/health": self._liveness,
            "/health": self._liveness,
        }

    def __call__(self, request: Request) -> Answer:
        request_id = _request_id(request)
        try:
            answer = self._route(request)
        except Failure as ex:
            answer = _json({**ex.envelope(), "request_id": request_id}, ex.status)
            answer.headers |= {name.lower(): value for name, value in self._headers(ex)}
        answer.headers["x-request-id"] = request_id
        return answer

    def _headers(self, failure: Failure) -> list[tuple[str, str]]:
        hidden = ["Retry-After"] if "hides_retry_after" in self._faults else []
        return [each for each in failure.headers.items() if each[0] not in hidden]

    def _route(self, request: Request) -> Answer:
        if len(request.body) > MAX_BODY:
            raise Failure("payload_too_large", "The body is too large.")
        path = request.path.rstrip("/")
        if path not in self._posts and path not in self._gets:
            raise Failure("not_found", "There is no such path.")
        allowed = GET if path in self._gets else POST
        if request.method not in allowed:
            raise Failure("method_not_allowed", "Not this method.", headers={"Allow": ", ".join(allowed)})  # fmt: skip
        if path in self._gets:
            return self._gets[path]()
        self._let_in(request)
        kind = request.headers.get("content-type", JSON).split(";")[0]
        if kind.strip().lower() != JSON:
            raise Failure("unsupported_media_type", "The body must be JSON.")
        return self._posts[path](parse_json(request.body))

    def _let_in(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = [token.strip()] if scheme.lower() == "bearer" else []
        given.append(request.headers.get("x-api-key", ""))
        if self._token and self._token not in given:
            raise Failure("unauthorized", "No or wrong token.", headers=CHALLENGE)

    def _inference(self, body: Json) -> Answer:
        return _json(self._completed(prompt_of(body)))

    def _completed(self, prompt: Prompt) -> Json:
        began = time.monotonic()
        fields, provider = self._gateway.complete(prompt)
        latency = milliseconds_since(began)
        return {**fields, "latency_ms": latency, "provider": provider, "model_id": prompt.model}  # fmt: skip

    def _batch(self, body: Json) -> Answer:
        began, prompts = time.monotonic(), []
        bound = bound_of(body)
        for prompt in prompts_of(body):
            prompts.append(prompt)
            if "batch_runs_before_validation" in self._faults:
                self._completed(prompt)
        results = self._run(prompts, bound)
        failed = sum("error" in result for result in results)
        counts = {"succeeded": len(results) - failed, "failed": failed}
        latency = milliseconds_since(began)
        return _json({"model_id": model_of(body), "results": results, **counts, "latency_ms": latency})  # fmt: skip

    def _run(self, prompts: list[Prompt], bound: int) -> list[Json]:
        if "batch_serial" in self._faults:
            bound = 1
        if "batch_unbounded" in self._faults:
            bound = 256
        with ThreadPoolExecutor(bound) as pool:
            running: Iterable[Future[Json]]
            running = [pool.submit(self._item, *each) for each in enumerate(prompts)]
            if "batch_completion_order" in self._faults:
                running = as_completed(running)
            return [each.result() for each in running]

    def _item(self, index: int, prompt: Prompt) -> Json:
        try:
            return {"index": index, **self._completed(prompt)}
        except Failure as ex:
            if "batch_all_or_nothing" in self._faults:
                raise
            return {"index": index, "error": ex.envelope()}

    def _embeddings(self, body: Json) -> Answer:
        model, texts = model_of(body), texts_of(body)
        (vectors, count), provider = self._gateway.embed(model, texts)
        data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]  # fmt: skip
        usage = {"prompt_tokens": count, "total_tokens": count}
        return _json({"object": "list", "data": data, "embeddings": vectors, "model": model, "provider": provider, "usage": usage})  # fmt: skip

    def _health(self) -> Answer:
        usable = self._gateway.usable()
        if "health_always_ok" in self._faults:
            usable = [each or 0.0 for each in usable]
        names = [backend.provider for backend in self._gateway.backends]
        states = [_state(*each) for each in zip(names, usable, strict=True)]
        good = [each["provider"] for each in states if each["status"] == "ok"]
        status = "unavailable" if not good else "ok" if good[0] == names[0] else "degraded"  # fmt: skip
        report = {"status": status, "provider": next(iter(good), None), "backends": states, "version": "1"}  # fmt: skip
        return _json(report, 200 if good else 503)

    def _liveness(self) -> Answer:
        return _json({"status": "ok", "version": "1"})

    def _stream(self, body: Json) -> Answer:
        prompt = prompt_of(body)
        stream = EventStream(lambda: self._gateway.stream(prompt), self._faults, self._swap)  # fmt: skip
        if "status_before_first_token" not in self._faults:
            stream.open()
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
        return Answer(200, headers, stream.pieces(), stream.close)

    def _swap(self, token: str) -> str:
        """The token of another stream, when one was lent."""
        other, self._lent = self._lent or token, token
        return other


def _state(provider: str, latency: float | None) -> Json:
    if latency is None:
        return {"provider": provider, "status": "unavailable"}
    return {"provider": provider, "status": "ok", "latency_ms": latency}


def _json(value: Json, status: int = 200) -> Answer:
    data = json.dumps(value).encode()
    headers = {"content-type": JSON, "content-length": str(len(data))}
    return Answer(status, headers, [data])


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    good = 0 < len(given) <= 128 and given.isascii() and given.isprintable()
    return given if good else uuid.uuid4().hex
