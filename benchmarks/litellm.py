"""LiteLLM's proxy as a contender: what a user would install. It gets a virtual environment of its own, made once."""

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.contenders import PORT, TOKEN, UPSTREAM, Contender
from benchmarks.load import Request
from benchmarks.upstream import ANSWER

CACHE = Path.home() / ".cache" / "octomil-ref-benchmarks"

REQUEST = Request(
    PORT,
    "/v1/chat/completions",
    b'{"model":"whole","messages":[{"role":"user","content":"Go on."}]}',
    TOKEN,
    ANSWER.strip().encode(),
)

CONFIG = f"""
model_list:
  - model_name: whole
    litellm_params:
      model: openai/whole
      api_base: {UPSTREAM}
      api_key: none
general_settings:
  master_key: {TOKEN}
"""


def litellm() -> Contender:
    home = CACHE / "litellm"
    command = home / "bin" / "litellm"
    if not command.exists():
        print(f"installing litellm[proxy] into {home}", file=sys.stderr)
        venv.create(home, with_pip=True)
        subprocess.run(
            [home / "bin" / "pip", "install", "-q", "litellm[proxy]"], check=True
        )
    config = home / "config.yaml"
    config.write_text(CONFIG)
    options = ["--config", str(config), "--port", str(PORT), "--num_workers", "1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    return Contender(
        "LiteLLM", "uvicorn", [str(command), *options, "--host", "127.0.0.1"], env
    )
