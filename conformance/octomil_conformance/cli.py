"""The command `octomil-conformance`.

Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octomil_conformance import __version__, spec

if TYPE_CHECKING:
    from octomil_conformance.run import Run

USAGE, COULD_NOT_TEST, SUITE_AT_FAULT = 2, 3, 4

EXTRA = "pip install 'octomil-ref[conformance]'"

Command = Callable[[argparse.Namespace], int]

COMMANDS = (
    "doctor",
    "list",
    "explain",
    "backend",
    "serve",
    "matrix",
    "run",
    "fixtures",
    "record",
    "export",
)


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
    return with_checks(_run, options)


def with_checks(command: Command, options: argparse.Namespace) -> int:
    """A command that needs what the checks need."""
    missing = _missing()
    if missing:
        print(
            f"octomil-conformance: {missing} is missing; run: {EXTRA}", file=sys.stderr
        )
        return COULD_NOT_TEST
    from octomil_conformance.preflight import CouldNotTest
    from octomil_conformance.report.redact import redact

    def tested(options: argparse.Namespace) -> int:
        try:
            return command(options)
        except CouldNotTest as ex:
            print(f"could not test: {redact(str(ex), options.token)}", file=sys.stderr)
            return COULD_NOT_TEST

    return guarded(tested, options)


def guarded(command: Command, options: argparse.Namespace) -> int:
    """A command, and the exit code of whatever it raises."""
    from octomil_conformance.config import UsageError
    from octomil_conformance.report.redact import redact

    token = getattr(options, "token", None)
    try:
        return command(options)
    except UsageError as ex:
        print(f"octomil-conformance: {redact(str(ex), token)}", file=sys.stderr)
        return USAGE
    except Exception:  # noqa: BLE001 - whatever it is, it is ours
        text = redact(traceback.format_exc(), token)
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


def _run(options: argparse.Namespace) -> int:
    from octomil_conformance.catalogue import cost
    from octomil_conformance.config import from_options
    from octomil_conformance.preflight import CouldNotTest
    from octomil_conformance.report.console import Progress, header
    from octomil_conformance.report.files import write_not_tested
    from octomil_conformance.session import judge

    config = from_options(config_options(options), Path.cwd())
    print("\n".join(header(config, cost(config))), flush=True)
    progress = Progress()
    try:
        run = judge(config, progress)
    except CouldNotTest as ex:
        write_not_tested(str(ex), options)
        raise
    progress.end()
    return tell(run, options)


def tell(run: "Run", options: argparse.Namespace) -> int:
    """Every report that was asked for, and the exit code."""
    from octomil_conformance.report.console import Console
    from octomil_conformance.report.files import write_reports
    from octomil_conformance.run import EXIT_CODES

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


def config_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("url", "token", "profiles", "model", "embed_model", "strict")
    backend = ("backend", "openai_backend", "backend_timeout", "allow_remote")
    every = (*names, *backend, "timeout_factor")
    return {name: getattr(options, name, None) for name in every}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "octomil-conformance",
        description=f"Judges a server of the Octomil Cloud Inference API by spec {spec.VERSION}.",
        epilog="Exit codes: 0 conformant in what was asked, 1 not, 2 wrong usage, 3 could not test, 4 the suite is at fault.",
    )
    version = f"{__version__}, spec {spec.VERSION}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(
        required=True, metavar="|".join(("URL", *COMMANDS))
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
    _add_recordings(add)
    commands.add_parser("matrix", help="set the --json reports of servers side by side")
    commands.add_parser("serve", help="run a server to test clients with")
    return parser


def _add_recordings(add: Callable[..., argparse.ArgumentParser]) -> None:
    from octomil_conformance.recordings import commands

    reader = add(
        "fixtures",
        partial(with_checks, commands.fixtures),
        "judge recorded answers, without a server",
    )
    reader.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="files .http, .sse, .json, .har, or folders of them",
    )
    _add_reports(reader)
    recorder = add(
        "record",
        partial(with_checks, commands.record),
        "write down what a server answers",
    )
    _add_target(recorder)
    _add_claims(recorder)
    _add_folder(recorder, "-o", dest="folder", required=True)
    export = partial(guarded, commands.export)
    _add_folder(add("export", export, "write answers to test clients with"), "folder")


def _add_folder(parser: argparse.ArgumentParser, name: str, **more: Any) -> None:
    sentence = "a new one, or an empty one"
    parser.add_argument(name, type=Path, metavar="DIR", help=sentence, **more)


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
    parser.add_argument(
        "--timeout-factor",
        type=_positive,
        metavar="X",
        help="multiply every deadline, for slow machines",
    )


def _add_reports(parser: argparse.ArgumentParser) -> None:
    _add_switch(parser, "--strict", "a broken SHOULD fails, too")
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
