"""A second conformant server, written apart from the reference: standard library only, a thread per connection.

It shows that the checks hold servers to the spec and not to the reference's habits. Each name in FAULTS switches on one
bug that sits too deep for a layer around a server to play.

    python tests/conformance/independent_server.py --port 8210 --token secret
"""

import argparse
import contextlib
import http.client
import itertools
import json
import math
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = {
    "accepts_missing_vectors": "Fewer vectors than inputs are passed on.",
    "batch_all_or_nothing": "One failing item of a batch fails all.",
    "batch_completion_order": "A batch's results come as they get ready.",
    "batch_runs_before_validation": "Good inputs run although another is malformed.",
    "batch_serial": "A batch runs one input at a time.",
    "batch_unbounded": "max_concurrency is ignored, all inputs run at once.",
    "buffers_stream": "The events are kept back until the answer is complete.",
    "cut_ends_cleanly": "After a failure in mid-stream the transfer ends as if complete.",
    "cut_looks_done": "A failure in mid-stream is followed by done: true.",
    "drops_parameters": "The parameters never reach the model.",
    "fallback_after_first_token": "A failure in mid-stream starts the next backend.",
    "falls_back_on_400": "The next backend is asked although the request was at fault.",
    "gives_up_after_failure": "Once all backends failed, every later request is refused.",
    "health_always_ok": "Health says ok without asking anybody.",
    "health_unbounded": "Health waits for a backend as long as that takes.",
    "hides_missing_model": "A missing model is a 502.",
    "hides_retry_after": "Retry-After is left out.",
    "ignores_disconnect": "The model goes on although the client has left.",
    "leaks_address": "Error messages name the upstream's address.",
    "mixes_streams": "A token may come out of another client's stream.",
    "no_fallback": "Only Ollama is asked, when there is one.",
    "no_fallback_on_5xx": "A 5xx is final.",
    "no_fallback_on_cut": "An answer cut off before its first token is final.",
    "no_fallback_on_garbage": "What cannot be understood is final.",
    "no_fallback_on_missing_model": "A 404 is final.",
    "no_fallback_on_refused": "A refused connection is final.",
    "no_fallback_on_timeout": "A time-out is final.",
    "no_timeout": "A backend is waited for as long as it likes.",
    "openai_first": "The OpenAI-compatible backend is asked before Ollama.",
    "provider_lies": "Ollama's name stands on every answer.",
    "status_before_first_token": "200 is sent before any token is in hand.",
    "thoughts_are_tokens": "Reasoning is passed on as tokens.",
    "truncated_is_complete": "An answer that stops short counts as complete.",
}

# class: (status, code, retryable, asks the next backend)
FAILURES = {
    "bad_request": (400, "invalid_input", False, False),
    "unauthorized": (401, "authentication_failed", False, False),
    "not_found": (404, "invalid_input", False, False),
    "method_not_allowed": (405, "invalid_input", False, False),
    "payload_too_large": (413, "context_too_large", False, False),
    "unsupported_media_type": (415, "invalid_input", False, False),
    "validation_error": (422, "unsupported_modality", False, False),
    "missing_model": (404, "model_not_found", False, True),
    "rate_limited": (429, "rate_limited", True, True),
    "internal_error": (500, "server_error", True, False),
    "bad_gateway": (502, "inference_failed", True, True),
    "bad_key": (502, "cloud_provider_auth_failed", False, True),
    "service_unavailable": (503, "server_error", True, True),
    "gateway_timeout": (504, "request_timeout", True, True),
}
NAMES = {"missing_model": "not_found", "bad_key": "bad_gateway"}
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}  # fmt: skip
FORBIDDEN = {"model", "messages", "input", "prompt", "stream", "stream_options", "n", "tools", "tool_choice", "functions", "function_call", "options", "encoding_format"}  # fmt: skip
MAX_BODY = 8 * 1024 * 1024


class Failure(Exception):
    def __init__(self, kind, message, cause="", headers=()):
        super().__init__(message)
        self.kind, self.message, self.cause = kind, message, cause
        self.headers = dict(headers)
        self.status, self.code, self.retryable, self.falls_back = FAILURES[kind]

    def envelope(self):
        return {
            "error": NAMES.get(self.kind, self.kind),
            "message": self.message,
            "status_code": self.status,
            "code": self.code,
            "retryable": self.retryable,
        }


# --- what clients send


def need(holds, complaint, kind="bad_request"):
    if not holds:
        raise Failure(kind, f"Validation failed: {complaint}.")


def parse_json(data):
    def unique(pairs):
        need(len(dict(pairs)) == len(pairs), "duplicate key")
        return dict(pairs)

    def refuse(text):
        raise ValueError(text)

    try:
        value = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as ex:
        raise Failure("bad_request", "The body is not strict JSON.") from ex
    need(isinstance(value, dict), "the body must be a JSON object")
    return value


def model_of(body):
    model = body.get("model_id")
    need(isinstance(model, str) and model.strip(), "'model_id' is required")
    need(len(model) <= 256, "'model_id' is too long")
    return model


def messages_of(fields, at=""):
    given, data = fields.get("messages"), fields.get("input_data")
    need((given is None) != (data is None), f"exactly one of '{at}messages' and '{at}input_data' is required")  # fmt: skip
    if given is None:
        given, at = from_input_data(data, at), f"{at}input_data"
    else:
        at = f"{at}messages"
    need(isinstance(given, list) and given, f"'{at}' must be a non-empty array")
    return [message_of(message, f"{at}[{n}]") for n, message in enumerate(given)]


def from_input_data(data, at):
    if isinstance(data, dict) and data.get("messages") is not None:
        return data["messages"]
    if isinstance(data, list) and all(
        isinstance(m, dict) and "role" in m for m in data
    ):
        return data
    if isinstance(data, dict):
        data = next((t for t in map(data.get, ("text", "prompt")) if isinstance(t, str) and t), data)  # fmt: skip
    need(data != "", f"'{at}input_data' must not be empty")
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return [{"role": "user", "content": text}]


def message_of(message, at):
    need(isinstance(message, dict), f"'{at}' must be an object")
    role, content = message.get("role"), message.get("content")
    need(role in ("system", "user", "assistant", "tool"), f"'{at}.role' is unknown")
    if isinstance(content, list) and content:
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            need(isinstance(kind, str), f"'{at}.content' has a part without a type")
            need(kind in ("text", "input_text"), f"'{at}.content': only text is supported", "validation_error")  # fmt: skip
            need(isinstance(part.get("text"), str), f"'{at}.content' lacks text")
        content = "\n".join(part["text"] for part in content)
    need(isinstance(content, str), f"'{at}.content' must be text")
    return {"role": role, "content": content}


def parameters_of(fields, at=""):
    given = fields.get("parameters")
    need(
        given is None or isinstance(given, dict), f"'{at}parameters' must be an object"
    )
    given = {name: value for name, value in (given or {}).items() if value is not None}
    for name, value in given.items():
        at_name = f"'{at}parameters.{name}'"
        need(name not in FORBIDDEN, f"{at_name} is not allowed")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in RANGES:
            low, high = RANGES[name]
            need(number and low <= value <= high, f"{at_name} must be {low} to {high}")
        if name in ("max_tokens", "top_k", "seed"):
            whole = number and isinstance(value, int)
            need(whole and (name == "seed" or value >= 1), f"{at_name} must be a whole number")  # fmt: skip
        if name == "stop":
            stops = [value] if isinstance(value, str) else value
            good = isinstance(stops, list) and len(stops) <= 8 and all(isinstance(s, str) for s in stops)  # fmt: skip
            need(good, f"{at_name} must be at most 8 strings")
            given[name] = stops
    return given


# --- the models behind


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
            return choice["message"].get("content") or ""

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


RETRY = {"Retry-After": "1"}


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


# --- HTTP


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def log_message(self, *ignored):
        pass

    def answer(self):
        self.request_id = self.headers.get("X-Request-Id") or uuid.uuid4().hex
        self.began, self.sent = time.monotonic(), False
        try:
            data = self.read_body()
            self.route(urlsplit(self.path).path.rstrip("/"), data)
        except Failure as ex:
            self.send_failure(ex)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            data = b""
            while (size := int(self.rfile.readline().split(b";")[0], 16)) and len(data) <= MAX_BODY:  # fmt: skip
                data += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            length = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(min(length, MAX_BODY + 1))
            self.close_connection |= length > MAX_BODY
        if len(data) > MAX_BODY:
            raise Failure("payload_too_large", "The body is too large.")
        return data

    def route(self, path, data):
        posts = {
            "/api/v1/inference": self.inference,
            "/api/v1/inference/stream": self.stream,
            "/api/v1/inference/batch": self.batch,
            "/api/v1/embeddings": self.embeddings,
        }
        gets = {
            "/api/v1/inference/health": self.health,
            "/api/v1/health": lambda: self.send(200, {"status": "ok"}),
            "/health": lambda: self.send(200, {"status": "ok"}),
        }
        if path not in posts and path not in gets:
            raise Failure("not_found", "There is no such path.")
        allowed = ("GET", "HEAD") if path in gets else ("POST",)
        if self.command not in allowed:
            raise Failure("method_not_allowed", "Not this method.", headers={"Allow": ", ".join(allowed)})  # fmt: skip
        if path in gets:
            return gets[path]()
        self.authorize()
        kind = self.headers.get("Content-Type", "application/json").split(";")[0]
        if kind.strip().lower() != "application/json":
            raise Failure("unsupported_media_type", "The body must be JSON.")
        return posts[path](parse_json(data))

    def authorize(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        given = [token.strip()] if scheme.lower() == "bearer" else []
        given.append(self.headers.get("X-API-Key"))
        if self.server.token and self.server.token not in given:
            raise Failure("unauthorized", "No or wrong token.", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip

    def inference(self, body):
        self.send(200, self.completed(model_of(body), messages_of(body), parameters_of(body)))  # fmt: skip

    def completed(self, model, messages, parameters):
        began = time.monotonic()
        output, provider = self.server.gateway.complete(model, messages, parameters)
        latency = (time.monotonic() - began) * 1000
        return {"output": output, "latency_ms": latency, "provider": provider, "model_id": model}  # fmt: skip

    def batch(self, body):
        faults, model, inputs = self.server.faults, model_of(body), body.get("inputs")
        need(isinstance(inputs, list) and 1 <= len(inputs) <= 256, "'inputs' must be an array of 1 to 256 items")  # fmt: skip
        bound = body.get("max_concurrency")
        bound = 4 if bound is None else bound
        need(type(bound) is int and bound >= 1, "'max_concurrency' must be at least 1")
        common, requests = parameters_of(body), []
        for n, item in enumerate(inputs):
            need(isinstance(item, dict), f"'inputs[{n}]' must be an object")
            own = parameters_of(item, f"inputs[{n}].")
            requests.append((model, messages_of(item, f"inputs[{n}]."), common | own))
            if "batch_runs_before_validation" in faults:
                self.completed(*requests[-1])
        bound = 1 if "batch_serial" in faults else min(bound, 32)
        with ThreadPoolExecutor(256 if "batch_unbounded" in faults else bound) as pool:
            results = [pool.submit(self.item, n, request) for n, request in enumerate(requests)]  # fmt: skip
            if "batch_completion_order" in faults:
                results = as_completed(results)
            results = [result.result() for result in results]
        failed = sum("error" in result for result in results)
        latency = (time.monotonic() - self.began) * 1000
        self.send(200, {"model_id": model, "results": results, "succeeded": len(results) - failed, "failed": failed, "latency_ms": latency})  # fmt: skip

    def item(self, index, request):
        try:
            return {"index": index, **self.completed(*request)}
        except Failure as ex:
            if "batch_all_or_nothing" in self.server.faults:
                raise
            return {"index": index, "error": ex.envelope()}

    def embeddings(self, body):
        model, texts = model_of(body), body.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        need(isinstance(texts, list) and 1 <= len(texts) <= 512, "'input' must be a string or an array of 1 to 512")  # fmt: skip
        need(all(isinstance(t, str) and t for t in texts), "'input' has an empty text")
        (vectors, count), provider = self.server.gateway.embed(model, texts)
        data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]  # fmt: skip
        self.send(200, {"object": "list", "data": data, "embeddings": vectors, "model": model, "provider": provider, "usage": {"prompt_tokens": count, "total_tokens": count}})  # fmt: skip

    def health(self):
        backends = self.server.gateway.backends
        with ThreadPoolExecutor(2) as pool:
            usable = list(pool.map(Backend.usable, backends))
        if "health_always_ok" in self.server.faults:
            usable = [True for _ in backends]
        states = [{"provider": b.provider, "status": "ok" if good else "unavailable"} for b, good in zip(backends, usable, strict=True)]  # fmt: skip
        first = next((s["provider"] for s in states if s["status"] == "ok"), None)
        status = "unavailable" if not any(usable) else "ok" if usable[0] else "degraded"
        self.send(200 if any(usable) else 503, {"status": status, "provider": first, "backends": states, "version": "1"})  # fmt: skip

    def stream(self, body):
        faults = self.server.faults
        request = model_of(body), messages_of(body), parameters_of(body)
        if "status_before_first_token" in faults:
            self.start_stream()
        tokens, close, provider = self.server.gateway.stream(*request)
        if "buffers_stream" in faults:
            tokens = iter(list(tokens))
        try:
            self.relay(tokens, provider)
        except ConnectionError:
            self.close_connection = True
            if "ignores_disconnect" in faults:
                self.server.kept.append(list(tokens))
        finally:
            close()

    def relay(self, tokens, provider):
        faults = self.server.faults
        self.start_stream()
        last = {"token": "", "done": True, "provider": provider, "session_id": uuid.uuid4().hex}  # fmt: skip
        try:
            for token in tokens:
                if "mixes_streams" in faults:
                    token, self.server.lent = self.server.lent or token, token
                event = {"token": token, "done": False, "provider": provider}
                self.send_event(event) if token else self.send_chunk(b": thinking\n\n")
        except Failure as ex:
            code = "request_timeout" if ex.cause == "timeout" else "stream_interrupted"
            error = {"code": code, "message": ex.message, "retryable": True}
            self.send_event({"token": "", "done": False, "provider": provider, "error": error})  # fmt: skip
            if "cut_looks_done" in faults:
                self.send_event(last)
            elif "cut_ends_cleanly" not in faults:
                self.close_connection = True
                return
        else:
            self.send_event(last | {"latency_ms": (time.monotonic() - self.began) * 1000})  # fmt: skip
        if self.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def start_stream(self):
        if self.sent:
            return
        self.chunked = self.request_version != "HTTP/1.0"
        framing = {"Transfer-Encoding": "chunked"} if self.chunked else {}
        self.close_connection |= not self.chunked
        self.send_head(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"} | framing)  # fmt: skip

    def send_event(self, event):
        self.send_chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def send_chunk(self, data):
        with contextlib.suppress(BlockingIOError):
            if not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ConnectionAbortedError
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def send_failure(self, failure):
        if self.sent:
            self.close_connection = True
            return
        headers = dict(failure.headers)
        if "hides_retry_after" in self.server.faults:
            headers.pop("Retry-After", None)
        self.send(failure.status, failure.envelope() | {"request_id": self.request_id}, headers)  # fmt: skip

    def send(self, status, body, headers=()):
        data = json.dumps(body).encode()
        length = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        self.send_head(status, length | dict(headers))
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_head(self, status, headers):
        self.sent = True
        self.send_response(status)
        for name, value in ({"X-Request-Id": self.request_id} | headers).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, token, gateway, faults):
        self.token, self.gateway, self.faults = token, gateway, faults
        self.lent, self.kept = "", []
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self):
        # HTTPServer would look its own name up, which takes seconds in some networks.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request, client_address):
        pass  # a client that left


class IndependentServer:
    """Serves between `__enter__` and `__exit__`. `ollama` and `openai` are base URLs, empty for none; `timeout` in seconds."""

    def __init__(self, ollama="", openai="", *, token="", timeout=2.0, key="", faults=(), port=0):  # fmt: skip
        faults = frozenset(faults)
        if unknown := faults - FAULTS.keys():
            raise ValueError(f"there is no fault {sorted(unknown)}")
        given = [("ollama", ollama, ""), ("openai", openai, key)]
        backends = [Backend(name, url, timeout, key, faults) for name, url, key in given if url]  # fmt: skip
        self._server = Server(port, token, Gateway(backends, faults), faults)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)  # fmt: skip
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="")
    parser.add_argument("--ollama", default="http://127.0.0.1:11434")
    parser.add_argument("--openai", default="http://127.0.0.1:11435/v1")
    parser.add_argument("--key", default="conf-key")
    parser.add_argument("--timeout", type=float, default=2.0)
    parser.add_argument("--fault", action="append", default=[], choices=sorted(FAULTS))
    given = parser.parse_args()
    with IndependentServer(given.ollama, given.openai, token=given.token, timeout=given.timeout, key=given.key, faults=given.fault, port=given.port) as server:  # fmt: skip
        print(f"Listening on {server.url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
