"""llama.cpp's server as a process, with a fake `xllamacpp`: its parameters, and when it ends."""

import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from unittest.mock import Mock

import pytest

NAME = "octomil_ref.demo.llama_cpp"
ARGUMENTS = ["llama_cpp", "/models/m.gguf", "smollm2-135m"]
PARENT = 4711


class Exit(BaseException):
    """Raised in place of `os._exit`."""


def leave(code: int) -> None:
    raise Exit(code)


@pytest.fixture
def xllamacpp(monkeypatch) -> Mock:
    fake = Mock()
    fake.Server.return_value.listening_address = "http://127.0.0.1:8081"
    monkeypatch.setitem(sys.modules, "xllamacpp", fake)
    monkeypatch.setattr(sys, "argv", ARGUMENTS)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(os, "getppid", Mock(side_effect=[PARENT, 1]))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return fake


def run() -> None:
    """Runs the module like `python -m`. An import alone starts nothing."""
    runpy.run_module(NAME)
    with pytest.raises(Exit, match="0"):
        runpy.run_module(NAME, run_name="__main__")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(xllamacpp, monkeypatch, number):
    handlers: dict[int, Callable[..., None]] = {}

    def started(parameters: object) -> Mock:
        handlers[number](number, None)
        return Mock()

    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(os, "getppid", Mock(side_effect=[PARENT, PARENT]))
    xllamacpp.Server.side_effect = started

    run()


def test_it_runs_until_its_parent_process_is_gone(xllamacpp, monkeypatch):
    waits = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return self.is_set()

    monkeypatch.setattr(threading, "Event", Event)
    monkeypatch.setattr(os, "getppid", Mock(side_effect=[*[PARENT] * 4, 1]))

    run()

    assert waits == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "given, threads",
    [([], os.cpu_count()), (["3"], 3)],
    ids=["on all processors", "on as many threads as are given"],
)
def test_it_serves_its_model_on_the_loopback_interface_and_says_where(
    xllamacpp, capsys, monkeypatch, given, threads
):
    monkeypatch.setattr(sys, "argv", [*ARGUMENTS, *given])

    run()

    [parameters] = xllamacpp.Server.call_args.args
    assert parameters.model.path == "/models/m.gguf"
    assert parameters.model_alias == {"smollm2-135m"}
    assert parameters.hostnames == ["127.0.0.1"]
    assert parameters.port == 0
    assert parameters.embedding is True
    mean = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    assert parameters.pooling_type is mean
    assert parameters.offline is True
    assert parameters.cpuparams.n_threads == threads
    assert parameters.cpuparams_batch.n_threads == threads
    assert capsys.readouterr().out == "listening on http://127.0.0.1:8081\n"
