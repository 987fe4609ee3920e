"""The servers that are measured: the reference server, the cheapest possible ones, and alternatives for users.

On the same servers with the same settings run a bare Falcon (the ceiling), requests' adapter alone, and twenty lines of
`requests.post`. A bare relay shows what a streamed token costs in Python threads, alone and in a Falcon application.
`gateways.py` has the gateways of others.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import upstream

THREADS = 68
"""64 streams, and the four threads that octomil-ref keeps for health checks and refusals."""

HERE = Path(__file__).parent
TOKEN = "benchmark"


@dataclass(frozen=True)
class Contender:
    name: str
    server: str
    command: Sequence[str]
    """`{port}` stands for where to listen, `{upstream}` for the upstream's URL without `/v1`; in `env` too."""
    env: Mapping[str, str] = field(default_factory=dict)
    openai: bool = False
    """True if it offers OpenAI's API instead of ours."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers that its requests need, with the same two placeholders."""
    answers: bytes | None = upstream.ANSWER.strip().encode()
    """Bytes of every whole answer. None if it gives no whole answers."""
    streams: bool = True
    all_cores: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} / {self.server}" if self.server else self.name


def reference(
    server: str, threads: int = THREADS, workers: int = 1, fast: bool = True
) -> Contender:
    """With `fast` it uses orjson if it is installed."""
    name = "octomil-ref" if fast else "octomil-ref, no orjson"
    if workers > 1:
        name += f", {workers} workers"
    env = {
        "OLLAMA_BASE_URL": "",
        "OPENAI_API_ENDPOINT": "{upstream}/v1",
        "OCTOMIL_API_KEYS": TOKEN,
    }
    if not fast:
        env["PYTHONPATH"] = str(HERE / "without_orjson")
    options = ["--port", "{port}", "--threads", str(threads)]
    if server == "gunicorn":
        options += ["--workers", str(workers)]
    command = [sys.executable, "-m", "octomil_ref", "serve", "--server", server]
    return Contender(name, server, [*command, *options], env, all_cores=workers > 1)


def on_falcon(name: str, server: str) -> Contender:
    """`hello`, `relayed`, `prepared` or `naive`, with the settings that the reference has."""
    app = f"benchmarks.apps:{name}"
    if server == "gunicorn":
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread"]
        command += ["--threads", str(THREADS), "-b", "127.0.0.1:{port}"]
        command += ["--keep-alive", "75", f"{app}()"]
    else:
        command = [str(Path(sys.executable).with_name("waitress-serve"))]
        command += [f"--threads={THREADS}", "--listen=127.0.0.1:{port}"]
        command += ["--asyncore-use-poll", "--connection-limit=2000", "--call", app]
    return Contender(
        name,
        server,
        command,
        {"BENCHMARK_UPSTREAM": "{upstream}"},
        answers={"hello": b"hello", "relayed": None}.get(name, Contender.answers),
        streams=name in ("naive", "relayed"),
    )


def relay() -> Contender:
    """The bare relay, which shows the lowest cost of a streamed token in Python threads."""
    command = [sys.executable, "-m", "benchmarks.relay", "{port}", "{upstream}"]
    return Contender("bare relay", "", command, answers=None)


def filled(text: str, port: int) -> str:
    """`text` with its two placeholders filled in."""
    return text.replace("{port}", str(port)).replace("{upstream}", upstream_url())


def upstream_url() -> str:
    """The URL of this run's scripted upstream."""
    return os.environ["BENCHMARK_UPSTREAM"]
