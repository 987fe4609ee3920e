"""Optional contenders: gateways that users could choose instead. Each is installed once into a folder of its own."""

import json
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import TOKEN, Contender
from benchmarks.upstream import MODEL

CACHE = Path.home() / ".cache" / "octomil-ref-benchmarks"

PORTKEY = {
    "dependencies": {"@portkey-ai/gateway": "*"},
    # With later versions the gateway cannot change the headers of a response, and its streams fail.
    "overrides": {"@hono/node-server": "1.13.8"},
}

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def litellm() -> Contender:
    """LiteLLM's proxy: Python, from PyPI."""
    home = _from_pypi("litellm[proxy]", "litellm")
    config = home / "config.yaml"
    config.write_text(f"""
model_list:
  - model_name: {MODEL}
    litellm_params:
      model: openai/{MODEL}
      api_base: os.environ/BENCHMARK_API_BASE
      api_key: none
general_settings:
  master_key: {TOKEN}
""")
    command = [str(home / "bin" / "litellm"), "--config", str(config)]
    command += ["--port", "{port}", "--num_workers", "1", "--host", "127.0.0.1"]
    env = {
        "BENCHMARK_API_BASE": "{upstream}/v1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    return Contender(
        "LiteLLM", "uvicorn", command, env, openai=True, headers=AUTHORIZED
    )


def portkey() -> Contender:
    """Portkey's gateway: TypeScript on Node, from npm."""
    home = CACHE / "portkey"
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build"
    if not script.exists():
        _say_installing("@portkey-ai/gateway", home)
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text(json.dumps(PORTKEY))
        options = ["--silent", "--no-audit", "--no-fund"]
        subprocess.run(["npm", "install", *options], check=True, cwd=home)
    command = ["node", str(script / "start-server.js"), "--port={port}", "--headless"]
    headers = {
        **AUTHORIZED,
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": "{upstream}/v1",
    }
    return Contender("Portkey", "node", command, openai=True, headers=headers)


def ferrogw() -> Contender:
    """Ferro Labs' gateway: Go, from PyPI, where it has a wheel for this machine."""
    home = _from_pypi("ferrogw", "ferrogw")
    config = home / "config.yaml"
    config.write_text(
        "strategy:\n  mode: fallback\ntargets:\n  - virtual_key: openai\n"
    )
    env = {
        "GATEWAY_CONFIG": str(config),
        "MASTER_KEY": TOKEN,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": "{upstream}",
        "PORT": "{port}",
        "RATE_LIMIT_RPS": "1000000",
        "RATE_LIMIT_BURST": "1000000",
    }
    command = [str(home / "bin" / "ferrogw"), "serve"]
    return Contender("ferrogw", "go", command, env, openai=True, headers=AUTHORIZED)


GATEWAYS: dict[str, Callable[[], Contender]] = {
    "litellm": litellm,
    "portkey": portkey,
    "ferrogw": ferrogw,
}


def _from_pypi(requirement: str, name: str) -> Path:
    """The virtual environment that holds it."""
    home = CACHE / name
    if not (home / "bin" / name).exists():
        _say_installing(requirement, home)
        venv.create(home, with_pip=True)
        pip = home / "bin" / "pip"
        subprocess.run([pip, "install", "-q", requirement], check=True)
    return home


def _say_installing(what: str, home: Path) -> None:
    print(f"installing {what} into {home}", file=sys.stderr)
