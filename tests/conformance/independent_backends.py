"""The models behind the independent server: both dialects, and who is asked next. Standard library only.

A fault is one of independent_server.FAULTS.
"""

import contextlib
import http.client
import itertools
import json
import math
import socket
import time
from urllib.parse import urlsplit

from independent_payloads import Failure

RETRY = {"Retry-After": "1"}


class Backend:
    def __init__(self, provider, url, timeout, key, faults):
        self.provider, self.faults = provider, faults
        self.timeout = 3600.0 if "no_timeout" in faults else timeout
        parts = urlsplit(url)
        self.host, self.path = parts.netloc, parts.path.rstrip("/")
        self.headers = {"Content-Type": "application/json", "Connection": "close"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"

    @contextlib.contextmanager
    def exchange(self, method, path, payload, timeout):
        """Gives a function that reads on, until the deadline: a line, or all."""
        end = [time.monotonic() + timeout]
        connection = http.client.HTTPConnection(self.host, timeout=timeout)
        try:
            connection.connect()
        except OSError as ex:
            connection.close()
            raise Failure("service_unavailable", self.says("could not be reached"), "refused", RETRY) from ex  # fmt: skip
        sock, response = connection.sock, None

        def bounded(read, *arguments):
            try:
                sock.settimeout(max(end[0] - time.monotonic(), 0.001))
                return read(*arguments)
            except TimeoutError as ex:
                raise Failure("gateway_timeout", self.says("did not answer in time"), "timeout") from ex  # fmt: skip
            except (OSError, http.client.HTTPException) as ex:
                raise Failure("bad_gateway", self.says("cut its answer off"), "cut") from ex  # fmt: skip

        def rest():
            pieces = iter(lambda: bounded(response.read1, 65536), b"")
            data = b"".join(pieces)
            if response.length:
                raise Failure("bad_gateway", self.says("cut its answer off"), "cut")
            return data

        def line():
            end[0] = time.monotonic() + timeout
            while (text := bounded(response.readline)) and not text.strip():
                pass
            return text

        try:
            body = json.dumps(payload).encode() if payload else None
            bounded(connection.request, method, self.path + path, body, self.headers)
            response = bounded(connection.getresponse)
            if response.status != 200:
                raise self.refusal(response.status, rest(), response.headers)
            yield line, rest
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            if response:
                response.close()
            connection.close()

    def says(self, what):
        where = f" at {self.host}" if "leaks_address" in self.faults else ""
        return f"The {self.provider} backend{where} {what}."

    def refusal(self, status, body, headers):
        words = body.decode("utf-8", "replace").replace("\\", "")
        if status >= 500 and 'option "' in words:
            status = 400
        if status == 400 and ("context" in words or "too long" in words):
            return Failure("payload_too_large", self.says("finds the prompt too long"))
        if status in (400, 422) and "not support" in words:
            return Failure("validation_error", self.says("cannot do this"))
        wait = {"Retry-After": headers.get("Retry-After") or "1"}
        kinds = {401: "bad_key", 402: "bad_key", 403: "bad_key", 404: "missing_model", 408: "gateway_timeout", 429: "rate_limited", 503: "service_unavailable"}  # fmt: skip
        kind = kinds.get(status, "bad_gateway" if status >= 500 else "bad_request")
        cause = {404: "missing_model", 408: "timeout"}.get(status, "5xx" if status >= 500 else "4xx")  # fmt: skip
        retry = wait if status in (429, 503) else {}
        if kind == "missing_model" and "hides_missing_model" in self.faults:
            kind = "bad_gateway"
        return Failure(kind, self.says("refused the request"), cause, retry)

    @contextlib.contextmanager
    def understanding(self):
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as ex:
            raise Failure("bad_gateway", self.says("sent nonsense"), "garbage") from ex

    def chat(self, model, messages, parameters, stream):
        parameters = {} if "drops_parameters" in self.faults else dict(parameters)
        payload = {"model": model, "messages": messages, "stream": stream}
        if self.provider == "openai":
            usage = {"stream_options": {"include_usage": True}} if stream else {}
            return "/chat/completions", parameters | payload | usage
        top = {n: parameters.pop(n) for n in ("think", "format", "keep_alive") if n in parameters}  # fmt: skip
        if "max_tokens" in parameters:
            parameters["num_predict"] = parameters.pop("max_tokens")
        return "/api/chat", {"think": False, "options": parameters} | top | payload

    def complete(self, model, messages, parameters):
        path, payload = self.chat(model, messages, parameters, stream=False)
        with self.exchange("POST", path, payload, self.timeout) as (_, rest):
            data = rest()
        with self.understanding():
            body = json.loads(data)
            choice = body if self.provider == "ollama" else body["choices"][0]
            reason = body.get("done_reason") or choice.get("finish_reason")
            fields = {"output": choice["message"].get("content") or ""}
            return fields | ({"finish_reason": reason} if reason else {})

    def stream(self, model, messages, parameters):
        """Tokens, after one empty token for each thought. Its end without a failure is a complete answer's."""
        path, payload = self.chat(model, messages, parameters, stream=True)
        with self.exchange("POST", path, payload, self.timeout) as (line, _):
            finished = False
            while not finished:
                text = line()
                if not text:
                    break
                if self.provider == "openai":
                    if not text.startswith(b"data:") or b"[DONE]" in text:
                        continue
                    text = text[5:]
                with self.understanding():
                    token, thought, finished = self.increment(json.loads(text))
                if thought:
                    yield thought if "thoughts_are_tokens" in self.faults else ""
                if token:
                    yield token
            if not finished and "truncated_is_complete" not in self.faults:
                raise Failure("bad_gateway", self.says("stopped short"), "cut")

    def increment(self, chunk):
        if chunk.get("error"):
            raise Failure("bad_gateway", self.says("failed"), "5xx")
        if self.provider == "ollama":
            message = chunk.get("message") or {}
            return message.get("content"), message.get("thinking"), chunk["done"]
        choice = (chunk.get("choices") or [{}])[0]
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        return delta.get("content"), thought, choice.get("finish_reason") is not None

    def embed(self, model, texts):
        ollama = self.provider == "ollama"
        payload = {"model": model, "input": texts}
        path = "/api/embed" if ollama else "/embeddings"
        with self.exchange("POST", path, payload, self.timeout) as (_, rest):
            data = rest()
        with self.understanding():
            body = json.loads(data)
            if ollama:
                vectors, count = body["embeddings"], body.get("prompt_eval_count", 0)
            else:
                items = sorted(body["data"], key=lambda item: item["index"])
                vectors = [item["embedding"] for item in items]
                count = (body.get("usage") or {}).get("prompt_tokens", 0)
            if "accepts_missing_vectors" not in self.faults:
                lengths = {len(vector) for vector in vectors}
                if len(vectors) != len(texts) or len(lengths) != 1 or 0 in lengths:
                    raise ValueError("vectors are missing")
            if not all(
                math.isfinite(number) for vector in vectors for number in vector
            ):
                raise ValueError("a number is not finite")
            return vectors, count

    def usable(self):
        path = "/api/version" if self.provider == "ollama" else "/models"
        bound = 3600.0 if "health_unbounded" in self.faults else min(2.0, self.timeout)
        try:
            with self.exchange("GET", path, None, bound) as (_, rest):
                rest()
        except Failure:
            return False
        return True


class Gateway:
    """Ollama first, then the other; the answer and who gave it."""

    def __init__(self, backends, faults):
        self.backends, self.faults, self.broken = backends, faults, False
        if "openai_first" in faults:
            self.backends = self.backends[::-1]
        if "no_fallback" in faults:
            self.backends = self.backends[:1]

    def label(self, backend):
        return "ollama" if "provider_lies" in self.faults else backend.provider

    def first(self, attempt, backends=None):
        failures = []
        if self.broken:
            raise Failure("service_unavailable", "No backend is left.", headers=RETRY)
        for backend in self.backends if backends is None else backends:
            try:
                return attempt(backend), self.label(backend)
            except Failure as ex:
                failures.append(ex)
                falls_back = ex.falls_back or "falls_back_on_400" in self.faults
                if not falls_back or f"no_fallback_on_{ex.cause}" in self.faults:
                    raise
        self.broken = "gives_up_after_failure" in self.faults
        raise next((ex for ex in failures[::-1] if ex.kind != "missing_model"), failures[-1])  # fmt: skip

    def complete(self, *request):
        return self.first(lambda backend: backend.complete(*request))

    def embed(self, *request):
        return self.first(lambda backend: backend.embed(*request))

    def stream(self, *request):
        """Tokens whose first is in hand, or whose answer is known to be empty."""

        def committed(backend):
            tokens = backend.stream(*request)
            first = next(tokens, None)
            return itertools.chain([] if first is None else [first], tokens), tokens

        (tokens, source), provider = self.first(committed)
        if "fallback_after_first_token" in self.faults:
            tokens = self.switching(tokens, request)
        return tokens, source.close, provider

    def switching(self, tokens, request):
        try:
            yield from tokens
        except Failure:
            others = self.backends[1:] or self.backends
            yield from self.first(lambda b: list(b.stream(*request)), others)[0]
