"""`octomil-ref demo`: its settings, its flags and its failures."""

from pathlib import Path

import pytest

from octomil_ref import cli
from octomil_ref.demo import run
from octomil_ref.demo.run import DemoError
from octomil_ref.settings import Settings


@pytest.fixture
def demos(monkeypatch) -> list[tuple[Settings, Path | None, bool]]:
    """The arguments of each demo that was started."""
    demos = []

    def run_demo(settings: Settings, gguf: Path | None, may_install: bool) -> None:
        demos.append((settings, gguf, may_install))

    monkeypatch.setattr(run, "run_demo", run_demo)
    return demos


def ended_demo() -> object:
    """The code or message of the process's SystemExit."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["demo"])
    return caught.value.code


def test_demo_uses_the_tokens_that_are_set(demos, monkeypatch):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "mine,yours")

    cli.main(["demo"])

    [(settings, _, _)] = demos
    assert settings.api_keys == ("mine", "yours")


def test_demo_makes_a_token_and_may_install_the_model(demos):
    cli.main(["demo"])

    [(settings, gguf, may_install)] = demos
    assert len(settings.api_keys) == 1
    assert (gguf, may_install) == (None, True)


def test_demo_is_not_open_to_everyone(demos, monkeypatch):
    monkeypatch.setenv("OCTOMIL_ALLOW_ANONYMOUS", "1")

    cli.main(["demo"])

    [(settings, _, _)] = demos
    assert not settings.allow_anonymous


def test_demo_takes_flags(demos):
    cli.main(
        ["demo", "--gguf", "m.gguf", "--no-install", "--host", "::1", "--port", "0"]
    )

    [(settings, gguf, may_install)] = demos
    assert (gguf, may_install) == (Path("m.gguf"), False)
    assert (settings.host, settings.port, settings.threads) == ("::1", 0, 64)


def test_a_demo_that_cannot_start_ends_with_what_to_do(monkeypatch):
    def run_demo(*arguments: object, **options: object) -> None:
        raise DemoError("the model is missing; run: pip")

    monkeypatch.setattr(run, "run_demo", run_demo)

    assert ended_demo() == "octomil-ref demo: the model is missing; run: pip"


def test_ctrl_c_while_the_model_is_loaded_is_one_line(monkeypatch, capsys):
    def run_demo(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_demo", run_demo)

    assert ended_demo() == 130
    assert capsys.readouterr().err == "\noctomil-ref: interrupted\n"


def test_the_scripted_demo_needs_no_model(demos, monkeypatch):
    scripted: list[Settings] = []
    monkeypatch.setattr(run, "run_scripted_demo", scripted.append)

    cli.main(["demo", "--scripted"])

    [settings] = scripted
    assert len(settings.api_keys) == 1
    assert demos == []
