"""llama.cpp's server as a process, with a fake `xllamacpp`: its parameters, and when it ends."""

import importlib
import os
import runpy
import signal
import sys
import threading
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import pytest

NAME = "octomil_ref.demo.llama_cpp"
ARGUMENTS = ["llama_cpp", "/models/m.gguf", "--port", "8081", "--alias", "smollm2-135m"]
PARENT = 4711


class Process:
    """The environment of the process, controlled by the test."""

    def __init__(self) -> None:
        self.handlers: dict[int, object] = {}
        self.servers: list[SimpleNamespace] = []
        self.parents: Iterator[object] = iter([PARENT])

    def getppid(self) -> int:
        """Gives the parents one after the other. A function is called and stands for the same parent."""
        parent = next(self.parents)
        if callable(parent):
            parent()
            return PARENT
        return parent

    def start(self, parameters: SimpleNamespace) -> SimpleNamespace:
        self.servers.append(parameters)
        return SimpleNamespace(listening_address="http://127.0.0.1:8081")

    def receive(self, number: int) -> None:
        self.handlers[number](number, None)


@pytest.fixture
def process(monkeypatch) -> Iterator[Process]:
    process = Process()
    fake = ModuleType("xllamacpp")
    fake.CommonParams = lambda: SimpleNamespace(
        model=SimpleNamespace(),
        cpuparams=SimpleNamespace(),
        cpuparams_batch=SimpleNamespace(),
    )
    fake.Server = process.start
    fake.llama_pooling_type = SimpleNamespace(LLAMA_POOLING_TYPE_MEAN="mean")
    monkeypatch.setitem(sys.modules, "xllamacpp", fake)
    monkeypatch.setattr(sys, "argv", ARGUMENTS)
    monkeypatch.setattr(os, "getppid", process.getppid)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(signal, "signal", process.handlers.__setitem__)
    sys.modules.pop(NAME, None)
    yield process
    sys.modules.pop(NAME, None)


class Exit(BaseException):
    """Raised in place of `os._exit`."""


def leave(code: int) -> None:
    raise Exit(code)


def run() -> None:
    with pytest.raises(Exit, match="0"):
        importlib.import_module(NAME).main()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(process, capsys, number):
    process.parents = iter([PARENT, lambda: process.receive(number)])

    run()

    assert len(process.servers) == 1


def test_it_runs_until_then(process, capsys, monkeypatch):
    waits = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return self.is_set()

    monkeypatch.setattr(threading, "Event", Event)
    process.parents = iter([PARENT, PARENT, PARENT, PARENT, 1])

    run()

    assert waits == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "flags, threads",
    [([], os.cpu_count()), (["--threads", "3"], 3)],
    ids=["on all processors", "on as many threads as are given"],
)
def test_it_serves_its_model_on_the_loopback_interface_and_says_where(
    process, capsys, monkeypatch, flags, threads
):
    monkeypatch.setattr(sys, "argv", [*ARGUMENTS, *flags])
    process.parents = iter([PARENT, 1])

    run()

    [parameters] = process.servers
    assert parameters.model.path == "/models/m.gguf"
    assert parameters.model_alias == {"smollm2-135m"}
    assert parameters.hostnames == ["127.0.0.1"]
    assert parameters.port == 8081
    assert (parameters.embedding, parameters.pooling_type) == (True, "mean")
    assert parameters.offline is True
    assert parameters.cpuparams.n_threads == threads
    assert parameters.cpuparams_batch.n_threads == threads
    assert capsys.readouterr().out == "listening on http://127.0.0.1:8081\n"


def test_it_runs_as_a_module(process, capsys):
    process.parents = iter([PARENT, 1])

    with pytest.raises(Exit, match="0"):
        runpy.run_module(NAME, run_name="__main__")

    assert len(process.servers) == 1
