"""`python -m octomil_ref` runs the command."""

import importlib
import runpy
import sys

import pytest

from octomil_ref import __version__

NAME = "octomil_ref.__main__"


@pytest.fixture
def command(monkeypatch):
    """The arguments are those of `octomil-ref --version`."""
    monkeypatch.setattr(sys, "argv", ["octomil-ref", "--version"])
    sys.modules.pop(NAME, None)
    yield
    sys.modules.pop(NAME, None)


def test_the_package_runs_as_the_command(command, capsys):
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("octomil_ref", run_name="__main__")

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_importing_the_module_runs_nothing(command, capsys):
    importlib.import_module(NAME)

    assert capsys.readouterr().out == ""
