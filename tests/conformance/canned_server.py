"""Fixed answers: a server that gives them, like the mock server of an SDK, and files of them for the command to judge."""

import json
from contextlib import contextmanager
from pathlib import Path

from octomil_conformance import cli
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


def lay(**files):
    """Writes files to the current folder. In their names the last `_` stands for the dot, and `__` for a slash."""
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        path = Path(f"{stem.replace('__', '/')}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)


def judged(*arguments):
    """The exit code, and the outcomes by requirement."""
    status = cli.main(["fixtures", *arguments, "--json", "report.json"])
    report = json.loads(Path("report.json").read_text())
    Path("report.json").unlink()
    return status, {each["requirement"]: each["outcome"] for each in report["verdicts"]}


def named(outcomes, *wanted):
    return sorted(name for name, outcome in outcomes.items() if outcome in wanted)
