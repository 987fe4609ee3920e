"""The options of a run: defined once, for the command and for the plugin of pytest."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from octomil_conformance.config import POSITIVE, is_positive
from octomil_conformance.spec import VERSION, additions

PLUGIN = "octomil"
"""The prefix of the plugin's options."""


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not is_positive(value):
        raise argparse.ArgumentTypeError(f"expected {POSITIVE}, not {text!r}")
    return value


@dataclass(frozen=True)
class Option:
    """An option of a command, or an argument if the name has no dashes."""

    name: str
    help: str
    more: dict[str, Any] = field(default_factory=dict)
    """Arguments of argparse. pytest takes the same."""

    @property
    def dest(self) -> str:
        """The name in `Config`."""
        return self.more.get("dest") or self.name.strip("-").replace("-", "_")


SWITCH = {"action": "store_true", "default": None}
"""None if it is not given, so that the file decides."""

PLACE = {"metavar": "HOST:PORT"}

TARGET = (
    Option("--token", "an API token that the server accepts"),
    Option(
        "--model",
        "the model for inference (default conf-echo, a model of the scripted backend)",
    ),
    Option("--embed-model", "the model for embeddings (default conf-echo)"),
)
CLAIMS = (
    Option(
        "--profile",
        "what the server claims, such as stream@1; repeatable (default: infer, stream and embed at level 1, and auth if there is a token)",
        {"action": "append", "metavar": "NAME@LEVEL", "dest": "profiles"},
    ),
    Option(
        "--backend",
        "where the suite plays Ollama in a run at level 2 (default 127.0.0.1:11434), or 'external[:HOST:PORT]' if `octomil-conformance backend` plays both upstreams there",
        PLACE,
    ),
    Option(
        "--openai-backend",
        "where the suite plays an OpenAI-compatible server (default 127.0.0.1:11435)",
        PLACE,
    ),
    Option(
        "--backend-timeout",
        "the server's LLM_BACKEND_TIMEOUT, in seconds (default 2)",
        {"type": positive, "metavar": "S"},
    ),
    Option(
        "--allow-remote",
        "let the backend listen on addresses that are not loopback",
        SWITCH,
    ),
    Option(
        "--timeout-factor",
        "multiply every deadline, for slow machines",
        {"type": positive, "metavar": "X"},
    ),
    Option(
        "--at-once",
        "how many checks run at once (default 12 at level 2, else 4); 1 for a server that answers few requests at once",
        {"type": int, "metavar": "N"},
    ),
)
SPEC = Option(
    "--spec",
    f"use the requirements of this version of the spec (default {VERSION})",
    {"choices": sorted(additions())},
)
STRICT = Option("--strict", "treat a broken SHOULD as a failure", SWITCH)
FILE = {"type": Path, "metavar": "FILE"}
REPORTS = (
    SPEC,
    STRICT,
    Option("--junit", "write a JUnit XML report", FILE),
    Option("--json", "write all verdicts and exchanges", FILE),
    Option("--html", "write an HTML report for people", FILE),
    Option(
        "--markdown", "append a summary to FILE, such as $GITHUB_STEP_SUMMARY", FILE
    ),
)
URL = Option("url", "the server, with or without /api/v1", {"metavar": "URL"})
FOR_CONFIG = (URL, *TARGET, *CLAIMS, SPEC, STRICT)
FOLDER: dict[str, Any] = {"type": Path, "metavar": "DIR"}
A_FOLDER = "the folder to write; it must be new or empty"


def adding(*options: Option) -> Callable[[argparse._ActionsContainer], None]:
    """The function that adds these options to a parser, or to a group of one."""

    def add(parser: argparse._ActionsContainer) -> None:
        for option in options:
            parser.add_argument(option.name, help=option.help, **option.more)

    return add


def add_to_pytest(add_option: Callable[..., None]) -> None:
    for option in FOR_CONFIG:
        more = {**option.more, "dest": f"{PLUGIN}_{option.dest}", "help": option.help}
        add_option(f"--{PLUGIN}-{option.name.strip('-')}", **more)


def for_config(value_of: Callable[[str], Any], prefix: str = "") -> dict[str, Any]:
    """The options in the form that `config.from_options` takes. `value_of` returns the value of an option by its name with `prefix`."""
    return {option.dest: value_of(prefix + option.dest) for option in FOR_CONFIG}
