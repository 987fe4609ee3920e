"""`octomil-ref demo`: its settings, its flags and its failures."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from octomil_ref import cli
from octomil_ref.demo import run
from octomil_ref.demo.run import DemoError


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


def test_demo_makes_a_token_and_may_install_the_model(demo):
    cli.main(["demo"])

    (settings, gguf), options = demo.call_args
    assert len(settings.api_keys) == 1
    assert (gguf, options) == (None, {"may_install": True})


def test_demo_takes_flags(demo):
    flags = ["--gguf", "m.gguf", "--no-install", "--host", "::1", "--port", "0"]

    cli.main(["demo", *flags])

    (settings, gguf), options = demo.call_args
    assert (gguf, options) == (Path("m.gguf"), {"may_install": False})
    assert (settings.host, settings.port, settings.threads) == ("::1", 0, 64)


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
