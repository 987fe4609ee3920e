"""The command `octomil-ref`: serve, demo, config, check.

Each command imports what only it needs. Otherwise these imports would take a third of the time in which gunicorn starts, because gunicorn
imports the app itself.
"""

import argparse
import errno
import gc
import os
import random
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from octomil_ref import __version__, setting_values
from octomil_ref.backends import Backend
from octomil_ref.errors import UpstreamError
from octomil_ref.listening import check_address
from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import IDLE_CONNECTIONS, Settings, load, or_exit, publish
from octomil_ref.settings_report import MEANINGS, report, warnings

T = TypeVar("T")

# The exit codes that shells use for a command that Ctrl-C ended, and for one whose output was closed.
INTERRUPTED, BROKEN_PIPE = 130, 141

CHECK_TIMEOUT = 10.0  # seconds that a backend has to list its models

UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a pipe or a file that cannot be written."""


def main(argv: Sequence[str] | None = None) -> None:
    try:
        with checked_output(), or_exit():
            arguments = _parser().parse_args(argv)
            arguments.command(arguments)
    except KeyboardInterrupt as ex:
        print("\noctomil-ref: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from ex


@contextmanager
def checked_output() -> Iterator[None]:
    """Exits cleanly when standard output cannot be written: silently if its reader left, else with one line."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)
    except OSError as ex:
        if ex.errno not in UNWRITABLE:
            raise
        # What is still buffered would fail again, with a traceback, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        silent = ex.errno == errno.EPIPE
        message = f"octomil-ref: cannot print: {ex.strerror}"
        raise SystemExit(BROKEN_PIPE if silent else message) from ex


def serve(arguments: argparse.Namespace) -> None:
    settings = _with_flags(load(), arguments)
    _allow_open_files((settings.threads or 0) * 2 + IDLE_CONNECTIONS + 100)
    if arguments.server == "gunicorn":
        check_address(settings)  # gunicorn would try for seconds
        _become_gunicorn(_with_token(settings))
    if settings.workers > 1:
        raise SettingsError(
            "OCTOMIL_WORKERS: waitress has one process; for more, use --server gunicorn"
        )
    _serve_by_waitress(settings)


def _allow_open_files(number: int) -> None:
    """Raises the limit of open files if the system lets it: by default it is 256 on macOS, and 1,024 on Linux."""
    # Windows has no such limit, the system may allow less, and a sandbox may forbid the call.
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))


def _serve_by_waitress(settings: Settings) -> None:
    from octomil_ref.app import create_app
    from octomil_ref.waitress_server import WaitressServer

    if settings.pin_to_core and hasattr(os, "sched_setaffinity"):
        # Python runs one thread at a time, and switching cores halves the speed of many threads.
        os.sched_setaffinity(0, {random.choice(sorted(os.sched_getaffinity(0)))})
    try:
        server = WaitressServer(settings)
    except RuntimeError as ex:
        raise SettingsError(f"OCTOMIL_THREADS (--threads): {ex}") from ex
    settings = replace(_with_token(settings), metrics_folder="")  # one process
    keys = settings.key_ring()
    app = create_app(settings, keys)
    if hasattr(signal, "SIGHUP"):  # Windows has none; the default ends the process
        signal.signal(signal.SIGHUP, lambda number, frame: keys.refresh())
    gc.collect()
    gc.freeze()  # later collections, which halt every stream, skip the app's own objects
    server.run(app, lambda: print(f"Listening on {server.url}", flush=True))


def _with_token(settings: Settings) -> Settings:
    """Makes and prints a token if the settings have none and do not allow anonymous requests."""
    if settings.has_access_rule():
        return settings
    token = new_token()
    print(f"Token, for this run only: {token}", flush=True)
    return replace(settings, api_keys=(token,))


def demo(arguments: argparse.Namespace) -> None:
    from octomil_ref.demo.run import DemoError, run_demo, run_scripted_demo

    settings = _with_flags(load(), arguments)
    tokens = settings.api_keys or (new_token(),)
    settings = replace(settings, api_keys=tokens, allow_anonymous=False)
    if arguments.scripted:
        run_scripted_demo(settings)
        return
    try:
        run_demo(settings, arguments.gguf, may_install=not arguments.no_install)
    except DemoError as ex:
        raise SystemExit(f"octomil-ref demo: {ex}") from ex


def config(arguments: argparse.Namespace) -> None:
    rows = report()
    width = max(len(row.variable) for row in rows)
    for row in rows:
        print(f"{row.variable:<{width}}  {row.source:<11}  {row.value}".rstrip())
        print(f"    {MEANINGS[row.variable]}")


def check(arguments: argparse.Namespace) -> None:
    """Asks each backend for its models. Exits with 1 if a backend cannot be used, if there is no backend, or if a setting is wrong."""
    from octomil_ref.app import create_backends

    settings = load()
    settings.key_ring()
    backends = create_backends(settings)
    reports = [_asked_for_models(backend) for backend in backends]
    problems = warnings(settings)
    for line in [*problems, *(line for _, line in reports)]:
        print(line)
    if not backends or not all(usable for usable, _ in reports):
        raise SystemExit(1)


def _asked_for_models(backend: Backend) -> tuple[bool, str]:
    try:
        models = backend.models(CHECK_TIMEOUT)
    except UpstreamError as ex:
        status = f"status {ex.upstream_status}" if ex.upstream_status else ""
        detail = ex.detail if ex.detail != ex.message else ""
        reason = ": ".join(filter(None, [status, detail]))
        return False, f"{backend.provider}: {ex.message} ({reason})"
    listed = ", ".join(models) or "none"
    return True, f"{backend.provider}: reached and authorized; models: {listed}"


def new_token() -> str:
    return f"octomil_{secrets.token_urlsafe(24)}"


def _become_gunicorn(settings: Settings) -> None:
    """Replaces this process by gunicorn, which reads the settings from the environment."""
    publish(
        OCTOMIL_HOST=settings.host,
        OCTOMIL_PORT=settings.port,
        OCTOMIL_UNIX_SOCKET=settings.unix_socket,
        OCTOMIL_THREADS=settings.threads,
        OCTOMIL_WORKERS=settings.workers,
        OCTOMIL_API_KEYS=",".join(settings.api_keys),
    )
    options = ["-c", "python:octomil_ref.gunicorn_settings"]
    command = [sys.executable, "-m", "gunicorn", *options]
    os.execv(sys.executable, [*command, "octomil_ref.app:create_app()"])


def _with_flags(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Flags take precedence over variables."""
    given = {
        name: value
        for name in ("host", "port", "unix_socket", "threads", "workers")
        if (value := getattr(arguments, name, None)) is not None
    }
    return replace(settings, **given).with_threads()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "octomil-ref",
        description="The reference server of the Octomil Cloud Inference API. "
        "Settings come from the environment: see 'octomil-ref config'.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="serve|demo|config|check")
    found = {}
    for command, about in (
        (serve, "serve the API"),
        (demo, "serve the API with a small language model inside"),
        (config, "print every setting and its meaning"),
        (check, "ask each backend for its models; exit with 1 if a backend fails"),
    ):
        description = f"{about[0].upper()}{about[1:]}."
        name = command.__name__
        found[command] = commands.add_parser(name, help=about, description=description)
        found[command].set_defaults(command=command)
    _add_serve_flags(found[serve])
    _add_demo_flags(found[demo])
    return parser


def _add_serve_flags(parser: argparse.ArgumentParser) -> None:
    flag, positive = parser.add_argument, _flag(setting_values.at_least_one)
    server_help = "the WSGI server (default waitress)"
    servers = ["waitress", "gunicorn"]
    flag("--server", choices=servers, default=servers[0], help=server_help)
    flag("--workers", type=positive, help="number of processes, under gunicorn")
    socket_help = "a Unix socket to listen on instead of host and port"
    flag("--unix-socket", metavar="PATH", help=socket_help)
    _add_common_flags(parser)


def _add_demo_flags(parser: argparse.ArgumentParser) -> None:
    scripted_help = "use no model; answers repeat the prompt"
    model = parser.add_mutually_exclusive_group()
    gguf_help = "a model file to use instead of SmolLM2"
    model.add_argument("--gguf", type=Path, metavar="FILE", help=gguf_help)
    model.add_argument("--scripted", action="store_true", help=scripted_help)
    install_help = "do not download the model; print the command that does"
    parser.add_argument("--no-install", action="store_true", help=install_help)
    _add_common_flags(parser)


def _add_common_flags(parser: argparse.ArgumentParser) -> None:
    flag, positive = parser.add_argument, _flag(setting_values.at_least_one)
    flag("--host", type=_flag(setting_values.host), help="address to listen on")
    flag("--port", type=_flag(setting_values.port), help="port; 0 is any free port")
    flag("--threads", type=positive, help="requests that one process serves at once")


def _flag(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Makes the type of a flag from the parser of a variable."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as ex:
            raise argparse.ArgumentTypeError(f"expected {ex}") from ex

    return read
