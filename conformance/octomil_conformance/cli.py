"""The command `octomil-conformance`.

Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from octomil_conformance import __version__, spec

USAGE, COULD_NOT_TEST, SUITE_AT_FAULT = 2, 3, 4

EXTRA = "pip install 'octomil-ref[conformance]'"

Command = Callable[[argparse.Namespace], int]

COMMANDS = ("doctor", "list", "explain", "backend", "matrix", "serve", "run")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        arguments.insert(0, "run")
    if arguments[:1] == ["backend"]:
        from octomil_conformance.backend.cli import main as backend

        return backend(arguments[1:])
    if arguments[:1] == ["matrix"]:
        return matrix(arguments[1:])
    if arguments[:1] == ["serve"]:
        from octomil_conformance.server.cli import main as serve

        return serve(arguments[1:])
    parser = _parser()
    if (
        arguments
        and arguments[0].startswith("--")
        and any("://" in word for word in arguments)
    ):
        arguments.insert(0, "run")
    options = parser.parse_args(arguments)
    try:
        status: int = options.command(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUITE_AT_FAULT
    return status


def run(options: argparse.Namespace) -> int:
    """`octomil-conformance URL`"""
    missing = _missing()
    if missing:
        print(
            f"octomil-conformance: {missing} is missing; run: {EXTRA}", file=sys.stderr
        )
        return COULD_NOT_TEST
    from octomil_conformance.config import UsageError, from_options
    from octomil_conformance.preflight import CouldNotTest
    from octomil_conformance.report.redact import redact

    try:
        config = from_options(_config_options(options), Path.cwd())
        return _judge(config, options)
    except UsageError as ex:
        print(f"octomil-conformance: {redact(str(ex), options.token)}", file=sys.stderr)
        return USAGE
    except CouldNotTest as ex:
        print(f"could not test: {redact(str(ex), options.token)}", file=sys.stderr)
        return COULD_NOT_TEST
    except Exception:  # noqa: BLE001 - whatever it is, it is ours
        text = redact(traceback.format_exc(), options.token)
        print(f"octomil-conformance: the suite is at fault\n{text}", file=sys.stderr)
        return SUITE_AT_FAULT


def doctor(options: argparse.Namespace) -> int:
    """`octomil-conformance doctor URL`: what stands between here and a run."""
    missing = _missing()
    if missing:
        print(f"{missing} is missing; run: {EXTRA}")
        return COULD_NOT_TEST
    from octomil_conformance.doctor import examine

    return examine(options.url, options.token, options.model, options.embed_model)


def matrix(arguments: Sequence[str]) -> int:
    """`octomil-conformance matrix FILE...`"""
    missing = _missing()
    if missing:
        print(f"{missing} is missing; run: {EXTRA}", file=sys.stderr)
        return COULD_NOT_TEST
    from octomil_conformance.report.matrix_cli import main

    return main(arguments)


def list_requirements(options: argparse.Namespace) -> int:
    for each in spec.requirements().values():
        profiles = ",".join(each.profiles)
        print(
            f"{each.id:<11} {each.force:<6} @{each.level} {each.provenance:<4} {profiles:<25} {each.text}"
        )
    print(f"\n{len(spec.requirements())} requirements of spec {spec.VERSION}")
    return 0


def explain(options: argparse.Namespace) -> int:
    each = spec.requirements().get(options.id.upper())
    if each is None:
        print(
            f"octomil-conformance: no requirement is called {options.id}",
            file=sys.stderr,
        )
        return USAGE
    print(f"{each.id}  {each.force}  {each.text}")
    rows = [
        ("profiles", ", ".join(f"{name}@{each.level}" for name in each.profiles)),
        ("origin", f"{each.provenance}: {spec.ORIGINS[each.provenance]}"),
        ("breaks", each.breaks),
        ("untested", each.untestable),
        ("spec", f"{spec.PROSE}#{each.id}"),
    ]
    for name, text in rows:
        if text:
            print(f"      {name:<9} {text}")
    if not _missing() and not each.untestable:
        from octomil_conformance.catalogue import checks_of

        for place in checks_of(each.id):
            print(f"      {'check':<9} {place}")
    return 0


def _judge(config: Any, options: argparse.Namespace) -> int:
    from octomil_conformance.catalogue import cost
    from octomil_conformance.preflight import CouldNotTest
    from octomil_conformance.report.console import Console, Progress, header
    from octomil_conformance.report.files import write_not_tested, write_reports
    from octomil_conformance.run import EXIT_CODES
    from octomil_conformance.session import judge

    print("\n".join(header(config, cost(config))), flush=True)
    progress = Progress()
    try:
        run = judge(config, progress)
    except CouldNotTest as ex:
        write_not_tested(str(ex), options)
        raise
    progress.end()
    print("\n".join(Console(run).lines()), flush=True)
    write_reports(run, options)
    return EXIT_CODES[run.conclusion()]


def _missing() -> str:
    """The first package that the checks need and that is not installed."""
    import importlib.util

    for name in ("pytest", "jsonschema"):
        if importlib.util.find_spec(name) is None:
            return name
    return ""


def _config_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("url", "token", "profiles", "model", "embed_model", "strict")
    backend = ("backend", "openai_backend", "backend_timeout", "allow_remote")
    every = (*names, *backend, "timeout_factor")
    return {name: getattr(options, name) for name in every}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "octomil-conformance",
        description=f"Judges a server of the Octomil Cloud Inference API by spec {spec.VERSION}.",
        epilog="Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault.",
    )
    version = f"{__version__}, spec {spec.VERSION}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(
        required=True, metavar="URL|doctor|list|explain|backend|matrix|serve"
    )

    def add(name: str, command: Command, sentence: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=sentence, description=sentence)
        added.set_defaults(command=command)
        return added

    runner = add("run", run, "judge the server at URL; the word run may be left out")
    _add_target(runner)
    _add_claims(runner)
    _add_reports(runner)
    _add_target(add("doctor", doctor, "say what stands between here and a run"))
    add("list", list_requirements, "print every requirement")
    explainer = add("explain", explain, "print one requirement and its checks")
    explainer.add_argument("id", metavar="ID", help="such as STREAM-05")
    commands.add_parser("backend", help="run the scripted backend on its own")
    commands.add_parser("matrix", help="set the --json reports of servers side by side")
    commands.add_parser("serve", help="run a server to test clients with")
    return parser


def _add_claims(parser: argparse.ArgumentParser) -> None:
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
        type=_positive,
        metavar="S",
        help="LLM_BACKEND_TIMEOUT of the server (default 2)",
    )
    _add_switch(
        parser,
        "--allow-remote",
        "let the backend listen on other than loopback addresses",
    )


def _add_reports(parser: argparse.ArgumentParser) -> None:
    _add_switch(parser, "--strict", "a broken SHOULD fails, too")
    parser.add_argument(
        "--timeout-factor",
        type=_positive,
        metavar="X",
        help="multiply every deadline, for slow machines",
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write a JUnit XML report"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all verdicts and exchanges"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page to look at"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="append a summary, such as to $GITHUB_STEP_SUMMARY",
    )


def _add_switch(parser: argparse.ArgumentParser, name: str, sentence: str) -> None:
    """None when it is not given, so that the file's word holds."""
    parser.add_argument(name, action="store_true", default=None, help=sentence)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="the server, with or without /api/v1"
    )
    parser.add_argument("--token", help="one that the server accepts")
    parser.add_argument(
        "--model",
        help="for inference (default conf-echo, which the scripted backend knows)",
    )
    parser.add_argument("--embed-model", help="for embeddings (default conf-echo)")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"not a positive number: {text}")
    return value
