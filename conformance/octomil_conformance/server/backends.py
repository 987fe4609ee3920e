"""The upstreams in their dialects, Ollama's own and OpenAI's. Whatever goes wrong is a Failure that names the backend."""

import json
import math
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from octomil_conformance.backend import API_KEY
from octomil_conformance.backend.failures import MOVED
from octomil_conformance.exchange import Exchange, Request
from octomil_conformance.server.failures import RETRY, Choice, Failure, first_in_rank
from octomil_conformance.server.faults import Fault, nothing
from octomil_conformance.server.layers import CLIENT, Json
from octomil_conformance.server.payloads import Prompt
from octomil_conformance.transport import Transfer

Vectors = tuple[list[list[float]], int]
"""The vectors, and the number of tokens."""

PROBE = 2.0
"""Seconds that a health probe may take."""

REFUSALS = {
    401: "bad_key",
    402: "bad_key",
    403: "bad_key",
    404: "missing_model",
    408: "gateway_timeout",
    **dict.fromkeys((400, 413, 422), "bad_request"),
    429: "rate_limited",
    503: "service_unavailable",
}
"""Status to kind of failure. Any other status is a bad gateway."""

ALIVE = {*range(200, 500)} - {401, 403}
"""Statuses of a probe that show that an upstream can be asked."""
PROBES = {"ollama": "/api/version", "openai": "/models"}
"""Paths that are asked for to find out whether an upstream is there."""

NO_HEADERS: Mapping[str, str] = {}
ON_TOP = ("think", "format", "keep_alive", "logprobs", "top_logprobs")
"""Parameters that Ollama does not take as options."""


@dataclass(frozen=True)
class Upstreams:
    """Base URLs, empty for none, and how long to wait for an answer."""

    ollama: str = ""
    openai: str = ""
    timeout: float = 2.0
    """Seconds."""
    probes: Mapping[str, str] = field(default_factory=lambda: PROBES)
    """The paths of health probes, by provider."""
    alive: Mapping[str, Collection[int]] = field(default_factory=dict)
    """The statuses of a probe after which a provider counts as available; without an entry those in ALIVE."""
    is_alive: Callable[[Exchange], bool] = lambda exchange: True
    """True if an upstream counts as available after this response to a probe, with a status in `alive`."""
    old_embeddings: bool = False
    """True if Ollama is asked for embeddings by its older API, one text at a time."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """The bugs by provider."""
    cooldown: float = 0.0
    """Seconds for which an upstream is asked last after it could not be reached."""
    choice: Choice = first_in_rank

    def backends(self) -> list["Backend"]:
        given = [("ollama", self.ollama, ""), ("openai", self.openai, API_KEY)]
        return [Backend(self, name, url, key) for name, url, key in given if url]


class Backend:
    """`url` is a base URL."""

    def __init__(self, settings: Upstreams, provider: str, url: str, key: str) -> None:
        self.provider = provider
        self._settings = settings
        self._fault = settings.faults.get(provider, Fault())
        self._url = url.rstrip("/")
        self._timeout = settings.timeout
        self._key = key if self._fault.key is None else self._fault.key

    @property
    def _is_ollama(self) -> bool:
        return self.provider == "ollama"

    def complete(self, prompt: Prompt) -> Json:
        body = self._asked(*self._chat(prompt, stream=False))
        with self._understanding():
            choice = body if self._is_ollama else body["choices"][0]
            text = "".join(_whole_characters(iter([_text_in(choice["message"])])))
            fields = {"output": "".join(self._fault.tokens(iter([text])))}
            return fields | self._ending(body)

    def stream(self, prompt: Prompt, ending: Json) -> Generator[str, None, None]:
        """Tokens, and an empty token for each thought. It ends without a Failure if the answer is complete; `ending` then says how it ended."""
        with closing(self._tokens(prompt, ending)) as tokens:
            yield from self._fault.tokens(_whole_characters(tokens))

    def _tokens(self, prompt: Prompt, ending: Json) -> Generator[str, None, None]:
        transfer = self._sent(*self._chat(prompt, stream=True))
        with closing(transfer):
            lines = self._data(self._lines(transfer))
            finished = False
            while not finished and (line := next(lines, b"")):
                with self._understanding():
                    chunk = json.loads(line)
                    token, thought, finished = self._increment(chunk)
                    ending |= self._ending(chunk) if finished else {}
                if thought:
                    yield ""
                if token:
                    yield token
                if thought or token:  # the wait for the next one has the whole timeout
                    timeout = max(self._timeout, self._fault.timeout)
                    transfer.wait_until(time.monotonic() + timeout)
            if not finished:
                raise self._cut_off()
            # The answer is complete; OpenAI's usage comes soon in one more chunk, if at all.
            transfer.wait_until(time.monotonic() + self._fault.grace * self._timeout)
            with suppress(Failure), self._understanding():
                if "usage" not in ending:
                    ending |= self._ending(json.loads(next(lines, b"{}")))

    def embed(self, model: str, texts: list[str]) -> Vectors:
        body = self._embedded(model, texts)
        with self._understanding():
            vectors, count = self._vectors(body)
            lengths = {len(vector) for vector in vectors}
            if len(vectors) != len(texts) or len(lengths) != 1 or 0 in lengths:
                raise ValueError("vectors are missing")
            if not all(map(_is_vector, vectors)):
                raise ValueError("a number is not finite")
            return self._fault.vectors(vectors), count

    def _embedded(self, model: str, texts: list[str]) -> Any:
        if not self._is_ollama or not self._settings.old_embeddings:
            path = "/api/embed" if self._is_ollama else "/embeddings"
            return self._asked(path, {"model": model, "input": texts})
        asked = [{"model": model, "prompt": text} for text in texts]
        found = [self._asked("/api/embeddings", each) for each in asked]
        with self._understanding():
            return {"embeddings": [each["embedding"] for each in found]}

    def probe_time(self) -> float | None:
        """The milliseconds in which the upstream answered a probe; None if it did not answer."""
        began = time.monotonic()
        path = self._settings.probes[self.provider]
        exchange = self._sent(path, timeout=PROBE).finish()
        alive = self._settings.alive.get(self.provider, ALIVE)
        usable = exchange.status in alive and self._settings.is_alive(exchange)
        return milliseconds_since(began) if usable else None

    def _chat(self, prompt: Prompt, stream: bool) -> tuple[str, Json]:
        parameters = dict(prompt.parameters)
        payload = {"model": prompt.model, "messages": prompt.messages, "stream": stream}
        if not self._is_ollama:
            usage = {"stream_options": {"include_usage": True}} if stream else {}
            return "/chat/completions", parameters | payload | usage
        top = {name: parameters.pop(name) for name in ON_TOP if name in parameters}
        if "max_tokens" in parameters:
            parameters["num_predict"] = parameters.pop("max_tokens")
        return "/api/chat", {"think": False, "options": parameters} | top | payload

    def _sent(
        self, path: str, payload: Json | None = None, timeout: float = math.inf
    ) -> Transfer:
        if payload and self._fault.sends is not nothing:
            payload = deepcopy(payload)
            self._fault.sends(payload)
        body = json.dumps(payload).encode() if payload else b""
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        if self._key:
            headers.append(("Authorization", f"Bearer {self._key}"))
        if self._fault.coding:
            headers.append(("Accept-Encoding", self._fault.coding))
        method = "POST" if payload else "GET"
        request = Request(method, self._url + path, tuple(headers), body)
        transfer = Transfer(request, time.monotonic() + min(timeout, self._timeout))
        if client := CLIENT.get(None):
            client.on_leave(transfer.break_off)
        return transfer

    def _asked(self, path: str, payload: Json) -> Any:
        """The JSON of a whole answer."""
        with closing(self._sent(path, payload)) as transfer:
            body = b"".join(self._pieces(transfer))
            exchange = transfer.finish()
            if self._fault.follows and exchange.status == 307:
                return self._asked(path + MOVED, payload)
            self._require_answer(transfer, exchange)
        with self._understanding():
            answer = json.loads(body)
            self._require_success(answer)
            return answer

    def _pieces(self, transfer: Transfer) -> Iterator[bytes]:
        for piece in self._fault.pieces(transfer.pieces()):
            if self._fault.coding and transfer.so_far().header("Content-Encoding"):
                raise self._failure("bad_gateway", "sent nonsense")
            if self._fault.timeout:
                transfer.wait_until(time.monotonic() + self._fault.timeout)
            yield piece

    def _lines(self, transfer: Transfer) -> Iterator[bytes]:
        """The lines of an answer, without white space around them."""
        rest: list[bytes] = []
        for piece in self._pieces(transfer):
            if transfer.status not in self._fault.good:
                break
            lines = []
            rest.append(piece)
            if b"\n" in piece:
                *lines, last = b"".join(rest).split(b"\n")
                rest = [last]
            yield from map(bytes.strip, lines)
        self._require_answer(transfer, transfer.finish())
        yield b"".join(rest).strip()

    def _require_answer(self, transfer: Transfer, exchange: Exchange) -> None:
        """Raises Failure unless the transfer brought an answer."""
        if not transfer.is_connected:
            raise self._failure("unreached", "could not be reached", RETRY)
        if isinstance(transfer.error, TimeoutError):
            raise self._failure("gateway_timeout", "did not answer in time")
        if transfer.error:
            raise self._cut_off()
        if exchange.status not in self._fault.good:
            raise self._refusal(exchange)

    def _refusal(self, exchange: Exchange) -> Failure:
        words = exchange.text.replace("\\", "")
        status = exchange.status
        if status >= 500 and 'option "' in words:
            status = 400
        if status == 400 and words.startswith("<"):
            what = "is behind a server that refuses the request"
            return self._failure("bad_gateway", what, words=words)
        if status == 400 and ("context" in words or "too long" in words):
            return self._failure("payload_too_large", "finds the prompt too long")
        if status in (400, 422) and "not support" in words:
            return self._failure("validation_error", "cannot do this")
        kind = REFUSALS.get(status, "bad_gateway")
        wait = {"Retry-After": self._fault.delay(exchange.header("Retry-After") or "")}
        headers = wait if status in (429, 503) else {}
        return self._failure(kind, "refused the request", headers, words)

    def _cut_off(self) -> Failure:
        return self._failure("bad_gateway", "cut its answer off")

    def _failure(
        self,
        kind: str,
        what: str,
        headers: Mapping[str, str] = NO_HEADERS,
        words: str = "",
    ) -> Failure:
        failure = Failure(kind, f"The {self.provider} backend {what}.", headers)
        return self._fault.failure(failure, words)

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as ex:
            raise self._failure("bad_gateway", "sent nonsense") from ex

    def _data(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Ollama's lines, or the data of the fallback's events."""
        data: list[bytes] = []
        for line in chain(lines, [b""]):
            if line.startswith(b"data:"):
                data.append(line[5:])
            elif line and (self._is_ollama or line.startswith(b"{")):
                yield line  # Ollama's, or an error outside of any event
            elif not line and data:
                yield from filter(_is_no_mark, [b"\n".join(data)])
                data = []

    def _increment(self, chunk: Any) -> tuple[str | None, str | None, bool]:
        """A token, a thought, and True if the answer is complete."""
        self._require_success(chunk)
        if self._is_ollama:
            message = chunk.get("message") or {}
            return _text_in(message), message.get("thinking"), chunk["done"]
        choice = (chunk.get("choices") or [{}])[0]
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        finished = choice.get("finish_reason") not in (None, "", "null")
        return _text_in(delta), thought, finished

    def _require_success(self, answer: Any) -> None:
        """Raises Failure if a response with status 200 reports an error."""
        choice = (answer.get("choices") or [{}])[0]
        reasons = (answer.get("object"), choice.get("finish_reason"))
        if answer.get("error") or "error" in reasons:
            raise self._failure("bad_gateway", "failed")

    def _vectors(self, body: Any) -> Vectors:
        if self._is_ollama:
            return body["embeddings"], _count(body.get("prompt_eval_count"))
        items = [*enumerate(body["data"])]
        found = {item.get("index", place): item["embedding"] for place, item in items}
        count = _count((body.get("usage") or {}).get("prompt_tokens"))
        return [found[place] for place, _ in items], count

    def _ending(self, body: Any) -> Json:
        """The ending in a whole answer, or in a line of a stream."""
        ending = self._ending_in(body)
        self._fault.ending(ending)
        return ending

    def _ending_in(self, body: Any) -> Json:
        if self._is_ollama:  # Ollama leaves out counts that are 0
            counts = body.get("prompt_eval_count"), body.get("eval_count")
            return self._reason(body.get("done_reason")) | _usage(*counts)
        choices, usage = body.get("choices") or [{}], body.get("usage")
        reason = self._reason(choices[0].get("finish_reason"))
        if not usage:
            return reason
        counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
        return reason | _usage(*counts)

    def _reason(self, word: object) -> Json:
        reason = self._fault.reason(word)
        return {"finish_reason": reason} if reason else {}


def milliseconds_since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _is_vector(numbers: list[Any]) -> bool:
    return {*map(type, numbers)} <= {int, float} and all(map(math.isfinite, numbers))


def _text_in(message: Json) -> str:
    text = message.get("content")
    if not isinstance(text, str | None):
        raise TypeError("not text")
    return text or ""


def _whole_characters(tokens: Iterator[str]) -> Iterator[str]:
    """Joins the two halves of a surrogate pair that arrive in two tokens."""
    half = ""
    for token in tokens:
        token = half + token
        half = token[-1:] if "\ud800" <= token[-1:] <= "\udbff" else ""
        units = token.removesuffix(half).encode("utf-16-le", "surrogatepass")
        yield units.decode("utf-16-le", "replace")
    if half:
        yield "\ufffd"


def _is_no_mark(data: bytes) -> bool:
    return data.strip() != b"[DONE]"


def _usage(*given: object) -> Json:
    prompt, completion = map(_count, given)
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"usage": counts | {"total_tokens": prompt + completion}}


def _count(given: object) -> int:
    """A number of tokens; 0 for any other value."""
    if isinstance(given, int | float) and given >= 0 and given == int(given):
        return int(given)
    return 0
