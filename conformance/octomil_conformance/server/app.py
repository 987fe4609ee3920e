"""A conformant server of the API: a function from a request to a response."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from octomil_conformance.server import payloads
from octomil_conformance.server.backends import milliseconds_since
from octomil_conformance.server.failures import CHALLENGE, Failure
from octomil_conformance.server.gateway import Gateway, Stream
from octomil_conformance.server.layers import (
    CLIENT,
    MAX_BODY,
    Client,
    Json,
    Request,
    Response,
    frame_of,
)
from octomil_conformance.server.scenarios import upstream_model

JSON = "application/json"
GET = ("GET", "HEAD")
POST = ("POST",)


class App:
    """If `token` is empty, requests need none."""

    def __init__(self, gateway: Gateway, token: str = "") -> None:
        self._gateway, self._token = gateway, token
        self._posts: Mapping[str, Callable[[Json, str], Response]] = {
            "/api/v1/inference": self._inference,
            "/api/v1/inference/stream": self._stream,
            "/api/v1/inference/batch": self._batch,
            "/api/v1/embeddings": self._embeddings,
        }
        self._gets: Mapping[str, Callable[[], Response]] = {
            "/api/v1/inference/health": self._health,
            "/api/v1/health": self._liveness,
            "/health": self._liveness,
        }

    def __call__(self, request: Request) -> Response:
        request_id = _request_id(request)
        CLIENT.set(request.client)
        try:
            response = self._route(request)
        except Failure as ex:
            response = _json({**ex.envelope(), "request_id": request_id}, ex.status)
            for name, value in ex.headers.items():
                response.headers[name.lower()] = value
        response.headers["x-request-id"] = request_id
        return response

    def _route(self, request: Request) -> Response:
        if len(request.body) > MAX_BODY:
            raise Failure("payload_too_large", "The body is too large.")
        path = request.path.rstrip("/")
        if path not in self._posts and path not in self._gets:
            raise Failure("not_found", "There is no such path.")
        allowed = GET if path in self._gets else POST
        if request.method not in allowed:
            headers = {"Allow": ", ".join(allowed)}
            raise Failure("method_not_allowed", "Not this method.", headers)
        if path in self._gets:
            return self._gets[path]()
        self._authorize(request)
        kind = request.headers.get("content-type", JSON).split(";")[0]
        if kind.strip().lower() != JSON:
            raise Failure("unsupported_media_type", "The body must be JSON.")
        return self._posts[path](payloads.parse_json(request.body), request.scenario)

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = [token.strip()] if scheme.lower() == "bearer" else []
        given.append(request.headers.get("x-api-key", ""))
        if self._token and self._token not in given:
            raise Failure("unauthorized", "No or wrong token.", CHALLENGE)

    def _inference(self, body: Json, scenario: str) -> Response:
        return _json(self._completed(scenario, payloads.prompt_of(body)))

    def _completed(self, scenario: str, prompt: payloads.Prompt) -> Json:
        began = time.monotonic()
        fields, provider = self._gateway.complete(_upstream(prompt, scenario))
        return {
            **fields,
            "latency_ms": milliseconds_since(began),
            "provider": provider,
            "model_id": prompt.model,
        }

    def _batch(self, body: Json, scenario: str) -> Response:
        began = time.monotonic()
        bound, prompts = payloads.bound_of(body), list(payloads.prompts_of(body))
        with ThreadPoolExecutor(bound) as pool:
            result = partial(self._result, scenario, CLIENT.get())
            results = list(pool.map(result, *zip(*enumerate(prompts))))
        failed = sum("error" in result for result in results)
        return _json(
            {
                "model_id": payloads.model_of(body),
                "results": results,
                "succeeded": len(results) - failed,
                "failed": failed,
                "latency_ms": milliseconds_since(began),
            }
        )

    def _result(
        self, scenario: str, client: Client, index: int, prompt: payloads.Prompt
    ) -> Json:
        CLIENT.set(client)
        if client.has_left:
            return {"index": index}
        try:
            return {"index": index, **self._completed(scenario, prompt)}
        except Failure as ex:
            return {"index": index, "error": ex.envelope()}

    def _embeddings(self, body: Json, scenario: str) -> Response:
        model, texts = payloads.model_of(body), payloads.texts_of(body)
        found, provider = self._gateway.embed(upstream_model(scenario), texts)
        vectors, count = found
        return _json(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": vector}
                    for index, vector in enumerate(vectors)
                ],
                "embeddings": vectors,
                "model": model,
                "provider": provider,
                "usage": {"prompt_tokens": count, "total_tokens": count},
            }
        )

    def _health(self) -> Response:
        names = [backend.provider for backend in self._gateway.backends]
        states = [_state(*each) for each in zip(names, self._gateway.probe_times())]
        good = [each["provider"] for each in states if each["status"] == "ok"]
        some = "ok" if len(good) == len(states) else "degraded"
        report = {
            "status": some if good else "unavailable",
            "provider": good[0] if good else None,
            "backends": states,
            "version": "1",
        }
        return _json(report, 200 if good else 503)

    def _liveness(self) -> Response:
        return _json({"status": "ok", "version": "1"})

    def _stream(self, body: Json, scenario: str) -> Response:
        began = time.monotonic()
        stream = self._gateway.stream(_upstream(payloads.prompt_of(body), scenario))
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
        return Response(200, headers, _events(stream, began), stream.close)


def _upstream(prompt: payloads.Prompt, scenario: str) -> payloads.Prompt:
    return replace(prompt, model=upstream_model(scenario))


def _events(stream: Stream, began: float) -> Iterator[bytes]:
    """Raises BrokenPipeError if the upstream's answer breaks off. That breaks off the transfer to the client too."""
    token = {"token": "", "done": False, "provider": stream.provider}
    try:
        for text in stream.tokens:
            yield frame_of({**token, "token": text}) if text else b": thinking\n\n"
    except Failure as ex:
        is_late = ex.kind == "gateway_timeout"
        code = "request_timeout" if is_late else "stream_interrupted"
        error = {"code": code, "message": ex.message, "retryable": True}
        yield frame_of({**token, "error": error})
        raise BrokenPipeError from ex
    ending = {"session_id": uuid.uuid4().hex, "latency_ms": milliseconds_since(began)}
    yield frame_of({**token, "done": True, **ending, **stream.ending})


def _state(provider: str, latency: float | None) -> Json:
    if latency is None:
        return {"provider": provider, "status": "unavailable"}
    return {"provider": provider, "status": "ok", "latency_ms": latency}


def _json(value: Json, status: int = 200) -> Response:
    data = json.dumps(value).encode()
    headers = {"content-type": JSON, "content-length": str(len(data))}
    return Response(status, headers, [data])


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    good = 0 < len(given) <= 128 and given.isascii() and given.isprintable()
    return given if good else uuid.uuid4().hex
