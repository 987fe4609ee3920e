"""`octomil-conformance backend`: the scripted backend on its own, for a server that is tested from another machine."""

import argparse
import shlex

from octomil_conformance import config
from octomil_conformance.backend.interface import environment
from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS
from octomil_conformance.backend.scripted import ScriptedBackend
from octomil_conformance.backend.upstream import Address
from octomil_conformance.options import Option, adding, positive
from octomil_conformance.output import signals_held, wait_for_the_end


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM. Returns the exit code."""
    if options.scenarios:
        width = max(map(len, SCENARIOS)) + 2
        for name, scenario in SCENARIOS.items():
            print(f"{MODEL_PREFIX}{name:<{width}}{scenario.sentence}")
        return 0
    given = (options.backend, options.openai_backend)
    more = (options.backend_timeout, options.allow_remote)
    try:
        with signals_held(), ScriptedBackend(*given, *more) as backend:
            print(_greeting(backend), flush=True)
            wait_for_the_end()
    except ValueError as ex:
        raise config.UsageError(f"{ex}; --allow-remote permits it") from ex
    return 0


def _address(text: str) -> Address:
    try:
        return config.address(text)
    except config.UsageError as ex:
        raise argparse.ArgumentTypeError(str(ex)) from ex


PLACE = {"type": _address, "metavar": "HOST:PORT"}


def _greeting(backend: ScriptedBackend) -> str:
    lines = [
        f"Ollama on {backend.ollama_url}, OpenAI-compatible on {backend.openai_url}   (Ctrl-C ends it)",
        "The server under test needs:",
    ]
    for name, value in environment(backend).items():
        lines.append(f"export {name}={shlex.quote(value)}")
    return "\n".join(lines)


add_options = adding(
    Option(
        "--backend",
        "where to play Ollama (default 127.0.0.1:11434)",
        {**PLACE, "default": config.DEFAULT_BACKEND},
    ),
    Option(
        "--openai-backend",
        "where to play an OpenAI-compatible server (default 127.0.0.1:11435)",
        {**PLACE, "default": config.DEFAULT_OPENAI_BACKEND},
    ),
    Option(
        "--backend-timeout",
        "the LLM_BACKEND_TIMEOUT of the server under test, in seconds (default 2)",
        {"type": positive, "metavar": "S", "default": config.DEFAULT_BACKEND_TIMEOUT},
    ),
    Option(
        "--allow-remote",
        "allow listening on addresses that are not loopback",
        {"action": "store_true"},
    ),
    Option(
        "--scenarios",
        "print the scenarios, each as the model that plays it, and exit",
        {"action": "store_true"},
    ),
)
