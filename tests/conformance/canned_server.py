"""A server with fixed answers, like the mock of an SDK. A test can make some of them wrong."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STREAM = (
    b'data: {"token":"The","done":false,"provider":"ollama"}\n\n'
    b'data: {"done":true,"latency_ms":1234.5,"session_id":"abc-123"}\n\n'
)
EMBEDDINGS = b'{"data":[{"embedding":[0.1,0.2],"index":0},{"embedding":[0.3,0.2],"index":1}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}'
INFERENCE = b'{"output":{"label":"positive"},"latency_ms":42,"provider":"triton"}'
ANSWERS = {
    "/api/v1/inference/stream": (200, "text/event-stream", STREAM),
    "/api/v1/embeddings": (200, "application/json", EMBEDDINGS),
    "/api/v1/inference": (200, "application/json", INFERENCE),
}
HANG = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.answers.get(self.path, (404, "text/plain", b"no"))
        if answer is HANG:
            self.server.ended.wait(30)
            return
        status, media_type, body = answer
        for name, value in self.server.headers.items():
            body = body.replace(name, self.headers.get(value, "").encode())
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_):
        pass


@contextmanager
def canned(changes=None, echo=None):
    """Yields the URL. `changes` has other answers by path, or HANG. `echo` maps bytes of a body to the request header that replaces them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.answers = {**ANSWERS, **(changes or {})}
    server.headers = echo or {}
    server.ended = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
