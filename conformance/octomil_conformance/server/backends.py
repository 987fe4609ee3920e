"""The upstreams in their dialects: Ollama's own, and OpenAI's.

A fault is one of faults.py. Whatever goes wrong is a Failure that says who failed, and how in its `cause`.
"""

import json
import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.server.clock import milliseconds_since
from octomil_conformance.server.failures import RETRY, Failure
from octomil_conformance.server.layers import Json
from octomil_conformance.server.payloads import Prompt
from octomil_conformance.server.readings import Vectors, ending_of, vectors_of
from octomil_conformance.server.upstream import (
    CutOff,
    Late,
    Refused,
    Unreachable,
    Upstream,
)

HOUR = 3600.0
PROBE = 2.0
"""Seconds at most in which a backend is to say that it is there."""

REFUSALS = {
    401: "bad_key",
    402: "bad_key",
    403: "bad_key",
    404: "missing_model",
    408: "gateway_timeout",
    429: "rate_limited",
    503: "service_unavailable",
}
"""Status to kind, for those that are neither any other fault of the request nor of the backend."""

CAUSES = {404: "missing_model", 408: "timeout"}
ON_TOP = ("think", "format", "keep_alive")
"""Parameters that Ollama does not take as options."""


class Backend:
    """`url` is a base URL, `timeout` in seconds."""

    def __init__(
        self,
        provider: str,
        url: str,
        timeout: float,
        key: str = "",
        faults: frozenset[str] = frozenset(),
    ) -> None:
        self.provider = provider
        self._url = url
        self._timeout = HOUR if "no_timeout" in faults else timeout
        self._key = key
        self._faults = faults

    @property
    def _is_ollama(self) -> bool:
        return self.provider == "ollama"

    def complete(self, prompt: Prompt) -> Json:
        path, payload = self._chat(prompt, stream=False)
        with self._asked("POST", path, payload, self._timeout) as upstream:
            data = upstream.rest()
        with self._understanding():
            body = json.loads(data)
            choice = body if self._is_ollama else body["choices"][0]
            fields = {"output": choice["message"].get("content") or ""}
            return fields | self._ending(body)

    def stream(self, prompt: Prompt, ending: Json) -> Generator[str, None, None]:
        """Tokens, after one empty token for each thought. Its end without a failure is a complete answer's; `ending` then has
        how it ended."""
        path, payload = self._chat(prompt, stream=True)
        with self._asked("POST", path, payload, self._timeout) as upstream:
            finished = False
            while not finished and (line := upstream.line()):
                if not self._has_data(line):
                    continue
                with self._understanding():
                    text = line if self._is_ollama else line.removeprefix(b"data:")
                    chunk = json.loads(text)
                    token, thought, finished = self._increment(chunk)
                    ending |= self._ending(chunk) if finished else {}
                if thought:
                    yield thought if "thoughts_are_tokens" in self._faults else ""
                if token:
                    yield token
            if not finished and "truncated_is_complete" not in self._faults:
                raise CutOff
            if finished and "usage" not in ending:
                ending |= self._late_usage(upstream)

    def _late_usage(self, upstream: Upstream) -> Json:
        """It stands in a chunk of its own, behind the end of an answer that is complete without it."""
        with suppress(Late, CutOff), self._understanding():
            while line := upstream.line():
                if self._has_data(line):
                    return self._ending(json.loads(line.removeprefix(b"data:")))
        return {}

    def embed(self, model: str, texts: list[str]) -> Vectors:
        path = "/api/embed" if self._is_ollama else "/embeddings"
        payload = {"model": model, "input": texts}
        with self._asked("POST", path, payload, self._timeout) as upstream:
            data = upstream.rest()
        with self._understanding():
            vectors, count = vectors_of(json.loads(data), self._is_ollama)
            lengths = {len(vector) for vector in vectors}
            whole = len(vectors) == len(texts) and len(lengths) == 1 and 0 not in lengths  # fmt: skip
            if not whole and "accepts_missing_vectors" not in self._faults:
                raise ValueError("vectors are missing")
            if not all(math.isfinite(n) for vector in vectors for n in vector):
                raise ValueError("a number is not finite")
            return vectors, count

    def usable(self) -> float | None:
        """Milliseconds in which it said that it is there; None where it did not."""
        began = time.monotonic()
        path = "/api/version" if self._is_ollama else "/models"
        unbounded = "health_unbounded" in self._faults
        bound = HOUR if unbounded else min(PROBE, self._timeout)
        try:
            with self._asked("GET", path, None, bound) as upstream:
                upstream.rest()
        except Failure:
            return None
        return milliseconds_since(began)

    def _chat(self, prompt: Prompt, stream: bool) -> tuple[str, Json]:
        parameters = {} if "drops_parameters" in self._faults else dict(prompt.parameters)  # fmt: skip
        payload = {"model": prompt.model, "messages": prompt.messages, "stream": stream}
        if not self._is_ollama:
            usage = {"stream_options": {"include_usage": True}} if stream else {}
            return "/chat/completions", parameters | payload | usage
        top = {name: parameters.pop(name) for name in ON_TOP if name in parameters}
        if "max_tokens" in parameters:
            parameters["num_predict"] = parameters.pop("max_tokens")
        return "/api/chat", {"think": False, "options": parameters} | top | payload

    def _has_data(self, line: bytes) -> bool:
        return self._is_ollama or (line.startswith(b"data:") and b"[DONE]" not in line)

    def _increment(self, chunk: Any) -> tuple[str | None, str | None, bool]:
        """A token, a thought, and whether that was all."""
        if chunk.get("error"):
            raise Failure("bad_gateway", self._says("failed"), "5xx")
        if self._is_ollama:
            message = chunk.get("message") or {}
            return message.get("content"), message.get("thinking"), chunk["done"]
        choice = (chunk.get("choices") or [{}])[0]
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        return delta.get("content"), thought, choice.get("finish_reason") is not None

    def _ending(self, body: Any) -> Json:
        return ending_of(body, self._is_ollama)

    @contextmanager
    def _asked(self, method: str, path: str, payload: Json | None, timeout: float) -> Iterator[Upstream]:  # fmt: skip
        try:
            with Upstream(self._url, timeout) as upstream:
                upstream.ask(method, path, payload, self._key)
                yield upstream
        except Unreachable as ex:
            raise Failure("service_unavailable", self._says("could not be reached"), "refused", RETRY) from ex  # fmt: skip
        except Late as ex:
            raise Failure("gateway_timeout", self._says("did not answer in time"), "timeout") from ex  # fmt: skip
        except CutOff as ex:
            raise Failure("bad_gateway", self._says("cut its answer off"), "cut") from ex  # fmt: skip
        except Refused as ex:
            raise self._refusal(ex) from ex

    def _refusal(self, refused: Refused) -> Failure:
        words = refused.body.decode("utf-8", "replace").replace("\\", "")
        status = refused.status
        if status >= 500 and 'option "' in words:
            status = 400
        if status == 400 and ("context" in words or "too long" in words):
            return Failure("payload_too_large", self._says("finds the prompt too long"))
        if status in (400, 422) and "not support" in words:
            return Failure("validation_error", self._says("cannot do this"))
        fault = status >= 500
        kind = REFUSALS.get(status, "bad_gateway" if fault else "bad_request")
        if kind == "missing_model" and "hides_missing_model" in self._faults:
            kind = "bad_gateway"
        cause = CAUSES.get(status, "5xx" if fault else "4xx")
        wait = {"Retry-After": refused.headers.get("Retry-After") or "1"}
        retry = wait if status in (429, 503) else {}
        return Failure(kind, self._says("refused the request"), cause, retry)

    def _says(self, what: str) -> str:
        where = f" at {urlsplit(self._url).netloc}"
        leaked = where if "leaks_address" in self._faults else ""
        return f"The {self.provider} backend{leaked} {what}."

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as ex:
            raise Failure("bad_gateway", self._says("sent nonsense"), "garbage") from ex
