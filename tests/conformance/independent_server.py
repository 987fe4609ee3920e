"""A second conformant server, written apart from the reference: standard library only, a thread per connection.

It shows that the checks hold servers to the spec and not to the reference's habits. Each name in FAULTS switches on one
bug that sits too deep for a layer around a server to play.

    python tests/conformance/independent_server.py --port 8210 --token secret
"""

import argparse
import contextlib
import json
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from independent_backends import Backend, Gateway
from independent_payloads import (
    Failure,
    messages_of,
    model_of,
    need,
    parameters_of,
    parse_json,
)

MAX_BODY = 8 * 1024 * 1024

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
        fields, provider = self.server.gateway.complete(model, messages, parameters)
        latency = (time.monotonic() - began) * 1000
        return {**fields, "latency_ms": latency, "provider": provider, "model_id": model}  # fmt: skip

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
