"""Who is measured: the reference, and beside it on the same servers with the same settings a bare Falcon (the ceiling) and
what a user would write in twenty lines, and what the client library alone costs. LiteLLM's proxy, what a user would install, is in `litellm.py`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import falcon
import requests

THREADS = 68
"""64 streams and four spare ones, which octomil-ref keeps for health checks and refusals."""
HERE = Path(__file__).parent
UPSTREAM_PORT = 18434
PORT = 18435
UPSTREAM = f"http://127.0.0.1:{UPSTREAM_PORT}/v1"
TOKEN = "benchmark"


class Hello:
    """The ceiling: takes the body in, answers a constant."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.bounded_stream.read()
        resp.data = b'{"output":"hello"}'


class Naive:
    """A proxy as one writes it on the first day."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = req.media
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        answer = requests.post(f"{UPSTREAM}/chat/completions", json=payload, timeout=60)
        content = answer.json()["choices"][0]["message"]["content"]
        resp.media = {"output": content, "provider": "openai", "latency_ms": 0}


class Prepared:
    """The least that goes through requests' adapter, as the reference does: nothing is checked, timed, logged or retried."""

    def __init__(self) -> None:
        self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=THREADS)
        url = f"{UPSTREAM}/chat/completions"
        headers = {"Content-Type": "application/json"}
        self._request = requests.Request("POST", url, headers).prepare()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = json.loads(req.bounded_stream.read())
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        request = self._request.copy()
        request.prepare_body(json.dumps(payload).encode(), None)
        answer = json.loads(self._adapter.send(request, timeout=60).content)
        output = {"output": answer["choices"][0]["message"]["content"]}
        resp.data = json.dumps(output).encode()


class NaiveStream:
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = req.media
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        answer = requests.post(
            f"{UPSTREAM}/chat/completions",
            json={**payload, "stream": True},
            stream=True,
            timeout=60,
        )
        resp.content_type = "text/event-stream"
        resp.stream = _tokens(answer)


def _tokens(answer: requests.Response) -> Iterator[bytes]:
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            token = choices[0]["delta"].get("content", "") if choices else ""
            done = bool(choices and choices[0]["finish_reason"])
            event = {"token": token, "done": done, "provider": "openai"}
            yield f"data: {json.dumps(event)}\n\n".encode()


def hello() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Hello())
    app.add_route("/health", Hello())
    return app


def naive() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Naive())
    app.add_route("/api/v1/inference/stream", NaiveStream())
    return app


def prepared() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Prepared())
    return app


@dataclass(frozen=True)
class Contender:
    name: str
    server: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.name} / {self.server}"


def reference(
    server: str, threads: int = THREADS, workers: int = 1, fast: bool = True
) -> Contender:
    """`fast`: with orjson, where it is installed."""
    env = {
        "OLLAMA_BASE_URL": "",
        "OPENAI_API_ENDPOINT": UPSTREAM,
        "OCTOMIL_API_KEYS": TOKEN,
    }
    if not fast:
        env["PYTHONPATH"] = str(HERE / "without_orjson")
    options = ["--port", str(PORT), "--threads", str(threads)]
    if server == "gunicorn":
        options += ["--workers", str(workers)]
    command = [sys.executable, "-m", "octomil_ref", "serve", "--server", server]
    return Contender("octomil-ref", server, [*command, *options], env)


def on_falcon(name: str, server: str) -> Contender:
    """`hello`, `naive` or `prepared`, with the settings that the reference has."""
    app = f"benchmarks.contenders:{name}"
    if server == "gunicorn":
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread"]
        command += ["--threads", str(THREADS), "-b", f"127.0.0.1:{PORT}"]
        command += ["--keep-alive", "75", f"{app}()"]
    else:
        command = [str(Path(sys.executable).with_name("waitress-serve"))]
        command += [f"--threads={THREADS}", f"--listen=127.0.0.1:{PORT}"]
        command += ["--asyncore-use-poll", "--connection-limit=2000", "--call", app]
    return Contender(name, server, command)
