"""A server with fixed answers, like the mock of an SDK. A test can make some of them wrong."""

from contextlib import contextmanager

from octomil_conformance.backend.scripts import stall, whole
from octomil_conformance.backend.upstream import Upstream

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


@contextmanager
def canned(changes=None, echo=None):
    """Yields the URL. `changes` has other answers by path, or HANG. `echo` maps bytes of a body to the request header that replaces them."""
    with Upstream(script=whole(b"no", 404, content_type="text/plain")) as server:
        for path, answer in {**ANSWERS, **(changes or {})}.items():
            server.on(path, answering(*answer, echo or {}) if answer else stall)
        yield server.url


def answering(status, content_type, body, echo):
    def script(response):
        given = response.request.headers
        said = body
        for name, header in echo.items():
            said = said.replace(name, given.get(header.lower(), "").encode())
        response.answer(status, said, content_type=content_type)

    return script
