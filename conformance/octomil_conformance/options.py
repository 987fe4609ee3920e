"""Options that more than one command has."""

import argparse
from pathlib import Path
from typing import Any

from octomil_conformance.config import POSITIVE, is_positive


def add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="the server, with or without /api/v1"
    )
    parser.add_argument("--token", help="one that the server accepts")
    parser.add_argument(
        "--model",
        help="for inference (default conf-echo, which the scripted backend knows)",
    )
    parser.add_argument("--embed-model", help="for embeddings (default conf-echo)")


def add_claims(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile",
        action="append",
        dest="profiles",
        metavar="NAME@LEVEL",
        help="what the server claims, such as stream@1; repeatable. Default: infer, stream, embed at level 1, and auth when there is a token",
    )
    parser.add_argument(
        "--backend",
        metavar="HOST:PORT",
        help="where the suite plays Ollama in a level 2 run (default 127.0.0.1:11434), or 'external[:HOST:PORT]' when octomil-conformance backend runs there",
    )
    parser.add_argument(
        "--openai-backend",
        metavar="HOST:PORT",
        help="where it plays an OpenAI-compatible server (default 127.0.0.1:11435)",
    )
    parser.add_argument(
        "--backend-timeout",
        type=positive,
        metavar="S",
        help="LLM_BACKEND_TIMEOUT of the server (default 2)",
    )
    _add_switch(
        parser,
        "--allow-remote",
        "let the backend listen on other than loopback addresses",
    )
    parser.add_argument(
        "--timeout-factor",
        type=positive,
        metavar="X",
        help="multiply every deadline, for slow machines",
    )


def add_reports(parser: argparse.ArgumentParser) -> None:
    _add_switch(parser, "--strict", "a broken SHOULD fails, too")
    for name, sentence in (
        ("--junit", "write a JUnit XML report"),
        ("--json", "write all verdicts and exchanges"),
        ("--html", "write a page to look at"),
        ("--markdown", "append a summary, such as to $GITHUB_STEP_SUMMARY"),
    ):
        parser.add_argument(name, type=Path, metavar="FILE", help=sentence)


def add_folder(place: argparse._ActionsContainer, name: str, **more: Any) -> None:
    """`place`: a parser, or a group of one."""
    sentence = "a new one, or an empty one"
    place.add_argument(name, type=Path, metavar="DIR", help=sentence, **more)


def for_config(options: argparse.Namespace) -> dict[str, Any]:
    """What `configure.from_options` wants to know of them."""
    names = ("url", "token", "profiles", "model", "embed_model", "strict")
    backend = ("backend", "openai_backend", "backend_timeout", "allow_remote")
    every = (*names, *backend, "timeout_factor")
    return {name: getattr(options, name, None) for name in every}


def _add_switch(parser: argparse.ArgumentParser, name: str, sentence: str) -> None:
    """None when it is not given, so that the file's word holds."""
    parser.add_argument(name, action="store_true", default=None, help=sentence)


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not is_positive(value):
        raise argparse.ArgumentTypeError(f"want {POSITIVE}, not {text!r}")
    return value
