"""Real gateways, from the registries: LiteLLM's proxy and Portkey's gateway, in front of another real server."""

import json
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models import LlamaCpp, cache
from processes import URL, ServerProcess

LITELLM = "litellm[proxy]==1.108.7"
LITELLM_KEY = "sk-of-the-proxy-0123456789"

PORTKEY = {
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # Its streams fail with later ones, which do not let it change the headers of a response.
    "overrides": {"@hono/node-server": "1.13.8"},
}


@contextmanager
def running_litellm(upstream: str) -> Iterator[str]:
    """The base URL of a LiteLLM whose only model, `LlamaCpp.model`, is asked of `upstream`."""
    home = _litellm_folder()
    config = home / "config.json"
    parameters = {
        "model": f"openai/{LlamaCpp.model}",
        "api_base": upstream,
        "api_key": "none",
    }
    model = {"model_name": LlamaCpp.model, "litellm_params": parameters}
    settings = {"master_key": LITELLM_KEY}
    config.write_text(json.dumps({"model_list": [model], "general_settings": settings}))
    command = [str(home / "bin" / "litellm"), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", "0", "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with ServerProcess(command, env) as process:
        found = process.wait_for_line(f"Uvicorn running on {URL}", timeout=180)
        yield f"{found['url']}/v1"


@contextmanager
def running_portkey() -> Iterator[str]:
    """The base URL of a Portkey gateway. The headers of each request name the provider and its address."""
    build = _portkey_folder() / "node_modules" / "@portkey-ai" / "gateway" / "build"
    port = free_port()
    command = ["node", str(build / "start-server.js"), f"--port={port}", "--headless"]
    # It forwards to no private address but to those that it is told to trust.
    with ServerProcess(command, {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}) as process:
        process.wait_for_line("Ready for connections")
        yield f"http://127.0.0.1:{port}/v1"


def free_port() -> int:
    """One that nobody uses at the moment; Portkey's gateway does not say which one it was given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _litellm_folder() -> Path:
    """Its own environment, filled when missing or of another version."""
    folder = cache() / "litellm"
    marker = folder / "installed.txt"
    wanted = f"{LITELLM}, Python {platform.python_version()}"
    if not marker.exists() or marker.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin" / "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", LITELLM], check=True)
        marker.write_text(wanted)
    return folder


def _portkey_folder() -> Path:
    folder = cache() / "portkey"
    wanted = json.dumps(PORTKEY)
    package = folder / "package.json"
    marker = folder / "installed.txt"
    if not marker.exists() or marker.read_text() != wanted:
        folder.mkdir(exist_ok=True)
        package.write_text(wanted)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True)
        marker.write_text(wanted)
    return folder
