"""The command: `serve` by either server, `config` and `demo`, their output and their exit codes."""

import gc
import os
import resource
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from unittest.mock import Mock

import pytest

from octomil_ref import __version__, app, cli, waitress_server
from octomil_ref.demo import run
from octomil_ref.demo.run import DemoError
from octomil_ref.keys import KeyRing
from octomil_ref.settings import Settings, load
from octomil_ref.settings_report import MEANINGS


class Servers:
    """Stands for WaitressServer; remembers the settings of the apps that were served."""

    def __init__(self) -> None:
        self.served: list[Settings] = []

    def __call__(self, settings: Settings) -> Self:
        print("It listens.")
        self.url = f"http://{settings.url_host()}:{settings.port or 49152}"
        return self

    def run(self, app: Settings, announce: Callable[[], None]) -> None:
        announce()
        self.served.append(app)


class BecameGunicorn(Exception):
    """Raised instead of replacing the process in `execv`."""


@pytest.fixture
def servers(monkeypatch) -> Iterator[Servers]:
    servers = Servers()
    monkeypatch.setattr(waitress_server, "WaitressServer", servers)
    monkeypatch.setattr(app, "create_app", lambda settings, keys: settings)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "collect", lambda: None)  # seconds, with all these tests
    before = signal.getsignal(signal.SIGHUP)
    yield servers
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def gunicorn(monkeypatch, servers) -> list[object]:
    """The program and arguments with which gunicorn takes the process's place."""
    call: list[object] = []
    monkeypatch.setattr(cli, "check_address", lambda settings: print("It is free."))

    def execv(program: str, arguments: list[str]) -> None:
        call.extend([program, *arguments])
        raise BecameGunicorn

    monkeypatch.setattr(os, "execv", execv)
    return call


def ending(*arguments: str) -> object:
    """The code or message of the process's SystemExit."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    return caught.value.code


@pytest.mark.parametrize(
    "flags, url",
    [("", "http://127.0.0.1:8000"), ("--port 0 --host ::1", "http://[::1]:49152")],
)
def test_serve_listens_and_shares_no_metrics(servers, monkeypatch, capsys, flags, url):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/run/metrics")

    cli.main(["serve", *flags.split()])

    assert capsys.readouterr().out == f"It listens.\nListening on {url}\n"
    assert servers.served[0].metrics_folder == ""


def test_without_a_token_each_serve_makes_and_prints_its_own(servers, capsys):
    cli.main(["serve"])
    out = capsys.readouterr().out
    cli.main(["serve"])

    [token], [another] = (settings.api_keys for settings in servers.served)
    assert len(token) >= 32 and token != another
    assert out.startswith(f"It listens.\nToken, for this run only: {token}\n")


@pytest.mark.parametrize(
    "variable, value",
    [
        ("OCTOMIL_API_KEYS", "hidden"),
        ("OCTOMIL_API_KEYS_FILE", "keys"),
        ("OCTOMIL_ALLOW_ANONYMOUS", "1"),
    ],
)
def test_serve_makes_and_prints_no_token_beside(
    servers, monkeypatch, capsys, tmp_path, variable, value
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").write_text("ci:hidden\n")
    monkeypatch.setenv(variable, value)

    cli.main(["serve"])

    [settings] = servers.served
    out = capsys.readouterr().out
    assert settings.api_keys == (("hidden",) if value == "hidden" else ())
    assert "Token" not in out and "hidden" not in out


@pytest.mark.parametrize(("switch", "count"), [("1", 1), ("0", 0)])
def test_serve_stays_on_one_core_if_a_setting_says_so(
    servers, monkeypatch, switch, count
):
    asked: list[set[int]] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: asked.append(cores))
    monkeypatch.setenv("OCTOMIL_PIN_TO_CORE", switch)

    cli.main(["serve"])

    assert len(asked) == count
    assert all(len(cores) == 1 for cores in asked)


def test_serve_freezes_its_memory_and_reads_the_key_file_again_on_sighup(
    servers, monkeypatch
):
    calls: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("frozen"))
    monkeypatch.setattr(KeyRing, "refresh", lambda keys: calls.append("read again"))

    cli.main(["serve"])
    signal.raise_signal(signal.SIGHUP)

    assert calls == ["frozen", "read again"]


@pytest.mark.parametrize(
    ("soft", "wanted"), [(256, 728), (1024, 1024)], ids=["low", "high enough"]
)
def test_serve_raises_its_limit_of_open_files_if_it_may(
    servers, monkeypatch, soft, wanted
):
    setrlimit = Mock(side_effect=ValueError("not allowed to raise maximum limit"))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, 4096))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)

    cli.main(["serve"])

    setrlimit.assert_called_once_with(resource.RLIMIT_NOFILE, (wanted, 4096))
    assert len(servers.served) == 1


def test_threads_that_cannot_be_started_are_a_wrong_setting(servers, monkeypatch):
    failure = RuntimeError("can't start new thread")
    monkeypatch.setattr(waitress_server, "WaitressServer", Mock(side_effect=failure))

    said = "octomil-ref: OCTOMIL_THREADS (--threads): can't start new thread"
    assert ending("serve") == said


def test_serve_runs_without_what_only_some_systems_have(servers, monkeypatch):
    monkeypatch.setenv("OCTOMIL_PIN_TO_CORE", "1")
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(sys.modules, "resource", None)
        elsewhere.delattr(os, "sched_setaffinity")
        elsewhere.delattr(signal, "SIGHUP")
        cli.main(["serve"])

    assert len(servers.served) == 1


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("", ("10.0.0.1", 1, 2)),
        ("--host 127.0.0.2 --port 0 --threads 8", ("127.0.0.2", 0, 8)),
    ],
    ids=["variables alone", "flags"],
)
def test_flags_take_precedence_over_variables(servers, monkeypatch, flags, expected):
    monkeypatch.setenv("OCTOMIL_HOST", "10.0.0.1")
    monkeypatch.setenv("OCTOMIL_PORT", "1")
    monkeypatch.setenv("OCTOMIL_THREADS", "2")

    cli.main(["serve", *flags.split()])

    [settings] = servers.served
    assert (settings.host, settings.port, settings.threads) == expected


@pytest.mark.parametrize(
    "flag, value, expected",
    [
        ("--port", "65536", "expected a port from 0 to 65535"),
        ("--port", "http", "expected a port from 0 to 65535"),
        ("--threads", "0", "expected an integer of at least 1"),
        ("--workers", "-1", "expected an integer of at least 1"),
        ("--server", "sync", "invalid choice"),
    ],
)
def test_a_wrong_flag_is_named(servers, capsys, flag, value, expected):
    code = ending("serve", f"{flag}={value}")

    assert code == 2
    assert f"argument {flag}: {expected}" in capsys.readouterr().err
    assert servers.served == []


NO_SECONDS = "expected a number of seconds above 0, at most 1000000, got 'abc'"


@pytest.mark.parametrize(
    "command, variable, value, said",
    [
        ("serve", "LLM_BACKEND_TIMEOUT", "abc", NO_SECONDS),
        ("config", "LLM_BACKEND_TIMEOUT", "abc", NO_SECONDS),
        ("serve", "OCTOMIL_API_KEYS_FILE", "/no", "expected a readable text file"),
        ("serve", "OCTOMIL_WORKERS", "2", "waitress"),
    ],
)
def test_a_wrong_setting_ends_the_command_with_one_line(
    servers, monkeypatch, capsys, command, variable, value, said
):
    monkeypatch.setenv(variable, value)

    assert str(ending(command)).startswith(f"octomil-ref: {variable}: {said}")
    assert "Listening on" not in capsys.readouterr().out
    assert servers.served == []


def test_serve_becomes_gunicorn_with_flags_and_token_in_the_environment(
    gunicorn, capsys
):
    flags = ["--host", "0.0.0.0", "--port", "80", "--threads", "8", "--workers", "2"]
    flags += ["--unix-socket", "/run/octomil.sock"]

    with pytest.raises(BecameGunicorn):
        cli.main(["serve", "--server", "gunicorn", *flags])

    assert gunicorn == [
        sys.executable,
        *(sys.executable, "-m", "gunicorn"),
        *("-c", "python:octomil_ref.gunicorn_settings"),
        "octomil_ref.app:create_app()",
    ]
    found = load()
    assert (found.host, found.port, found.threads) == ("0.0.0.0", 80, 8)
    assert (found.workers, found.unix_socket) == (2, "/run/octomil.sock")
    token = f"Token, for this run only: {found.api_keys[0]}\n"
    assert capsys.readouterr().out == f"It is free.\n{token}"


def test_config_prints_every_setting_with_its_source_value_and_meaning(
    monkeypatch, capsys
):
    monkeypatch.setenv("OCTOMIL_PORT", "1234")

    cli.main(["config"])

    out = capsys.readouterr().out
    lines = [line.split(maxsplit=2) for line in out.splitlines()[::2]]
    meanings = [line.strip() for line in out.splitlines()[1::2]]
    assert ["OCTOMIL_PORT", "environment", "1234"] in lines
    assert ["LLM_BACKEND_TIMEOUT", "default", "30"] in lines
    assert meanings == list(MEANINGS.values())


def test_the_package_runs_as_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["octomil-ref", "--version"])

    with pytest.raises(SystemExit) as caught:
        runpy.run_module("octomil_ref")

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_a_command_is_required_and_the_demo_has_one_model(capsys):
    assert ending() == 2
    assert "serve|demo|config|check" in capsys.readouterr().err
    assert ending("demo", "--scripted", "--gguf", "x") == 2
    assert "not allowed with" in capsys.readouterr().err


# The demo's command


@pytest.fixture
def demo(monkeypatch) -> Mock:
    """Replaces `run_demo`."""
    demo = Mock()
    monkeypatch.setattr(run, "run_demo", demo)
    return demo


def test_demo_uses_the_tokens_that_are_set_and_is_not_open_to_everyone(
    demo, monkeypatch
):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "mine,yours")
    monkeypatch.setenv("OCTOMIL_ALLOW_ANONYMOUS", "1")

    cli.main(["demo"])

    settings, *_ = demo.call_args.args
    assert settings.api_keys == ("mine", "yours")
    assert not settings.allow_anonymous


@pytest.mark.parametrize(
    "flags, gguf, may_install, host",
    [
        ("", None, True, "127.0.0.1"),
        ("--gguf m.gguf --no-install --host ::1", Path("m.gguf"), False, "::1"),
    ],
)
def test_demo_takes_flags_and_makes_a_token(demo, flags, gguf, may_install, host):
    cli.main(["demo", *flags.split()])

    (settings, file), options = demo.call_args
    assert (file, options) == (gguf, {"may_install": may_install})
    assert (settings.host, settings.threads) == (host, 64)
    assert len(settings.api_keys) == 1


@pytest.mark.parametrize(
    "failure, code, said",
    [
        (DemoError("it is missing"), "octomil-ref demo: it is missing", ""),
        (KeyboardInterrupt(), 130, "\noctomil-ref: interrupted\n"),
    ],
    ids=["what is missing", "Ctrl-C while the model is loaded"],
)
def test_a_demo_that_cannot_start_says_why(demo, capsys, failure, code, said):
    demo.side_effect = failure

    with pytest.raises(SystemExit) as caught:
        cli.main(["demo"])

    assert caught.value.code == code
    assert capsys.readouterr().err == said


def test_the_scripted_demo_needs_no_model(demo, monkeypatch):
    scripted = Mock()
    monkeypatch.setattr(run, "run_scripted_demo", scripted)

    cli.main(["demo", "--scripted"])

    [settings] = scripted.call_args.args
    assert len(settings.api_keys) == 1
    assert not demo.called
