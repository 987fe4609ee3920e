"""Real gateways, from the registries: LiteLLM's proxy and Portkey's gateway, in front of another real server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from installed import environment, npm_packages
from models import LlamaCpp
from processes import URL, ServerProcess, free_port
from reference import TOKEN

LITELLM_KEY = "sk-of-the-proxy-0123456789"

PORTKEY = {
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # With later versions the gateway cannot change the headers of a response, and its streams fail.
    "overrides": {"@hono/node-server": "1.13.8"},
}


@contextmanager
def running_litellm(upstream: str, ours: str) -> Iterator[str]:
    """The base URL of a LiteLLM with the model of `upstream`, `LlamaCpp.model`, and with two of our server's."""
    home = environment("litellm", "litellm[proxy]==1.108.7")
    config = home / "config.json"
    models = [
        _model(LlamaCpp.model, upstream, "none"),
        *(_model(name, ours, TOKEN) for name in ("conf-echo", "conf-http-404")),
    ]
    settings = {"master_key": LITELLM_KEY}
    config.write_text(json.dumps({"model_list": models, "general_settings": settings}))
    command = [str(home / "bin" / "litellm"), "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", "0", "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with ServerProcess(command, env) as process:
        found = process.wait_for_line(f"Uvicorn running on {URL}", timeout=180)
        yield f"{found['url']}/v1"


def _model(name: str, url: str, key: str) -> dict[str, object]:
    parameters = {"model": f"openai/{name}", "api_base": url, "api_key": key}
    return {"model_name": name, "litellm_params": parameters}


@contextmanager
def running_portkey() -> Iterator[str]:
    """The base URL of a Portkey gateway. The headers of each request name the provider and its address."""
    build = (
        npm_packages("portkey", PORTKEY)
        / "node_modules"
        / "@portkey-ai"
        / "gateway"
        / "build"
    )
    port = free_port()
    command = ["node", str(build / "start-server.js"), f"--port={port}", "--headless"]
    # It forwards only to those private addresses that this variable names.
    with ServerProcess(command, {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}) as process:
        process.wait_for_line("Ready for connections")
        yield f"http://127.0.0.1:{port}/v1"
