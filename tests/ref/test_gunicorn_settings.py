"""What gunicorn is told by the settings of the environment."""

import os
import runpy
import signal
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from gunicorn.util import load_class
from gunicorn.workers.gthread import ThreadWorker


@pytest.fixture
def told(monkeypatch):
    """A function that gives the settings as gunicorn reads them, with one token and the given variables set."""
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t")

    def told(**variables: str) -> dict[str, object]:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        return runpy.run_module("octomil_ref.gunicorn_settings")

    return told


def test_threads_serve_so_that_long_streams_are_not_killed(told):
    assert issubclass(load_class(told()["worker_class"]), ThreadWorker)


def test_the_defaults_are_one_process_of_64_threads_on_this_machine(told):
    settings = told()

    assert settings["bind"] == "127.0.0.1:8000"
    assert settings["workers"] == 1
    assert settings["threads"] == 64
    assert settings["graceful_timeout"] == 60


def test_the_variables_count(told):
    settings = told(
        OCTOMIL_HOST="0.0.0.0",
        OCTOMIL_PORT="80",
        OCTOMIL_WORKERS="2",
        OCTOMIL_THREADS="8",
        OCTOMIL_SHUTDOWN_GRACE="90",
    )

    assert settings["bind"] == "0.0.0.0:80"
    assert settings["workers"] == 2
    assert settings["threads"] == 8
    assert settings["graceful_timeout"] == 90


def test_an_ipv6_address_is_bound_in_brackets(told):
    assert told(OCTOMIL_HOST="::1")["bind"] == "[::1]:8000"


def test_no_control_socket_is_opened(told):
    assert told()["control_socket_disable"] is True


@pytest.fixture
def at_fork(monkeypatch):
    """What is to be done at each fork, by its moment."""
    moments: dict[str, Callable[[], None]] = {}
    monkeypatch.setattr(os, "register_at_fork", lambda **given: moments.update(given))
    return moments


def test_the_workers_learn_how_many_threads_gunicorn_gives_them(told, at_fork):
    server = SimpleNamespace(cfg=SimpleNamespace(threads=12))

    told()["on_starting"](server)

    assert os.environ["OCTOMIL_THREADS"] == "12"


@pytest.fixture
def held():
    """A function that tells which signals are held back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []) - before
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def test_signals_are_held_back_from_a_worker_that_is_not_ready(told, at_fork, held):
    told()["on_starting"](SimpleNamespace(cfg=SimpleNamespace(threads=12)))

    at_fork["before"]()
    in_the_worker = held()
    at_fork["after_in_parent"]()

    assert set(at_fork) == {"before", "after_in_parent"}
    assert in_the_worker == ENDING
    assert held() == set()


def test_a_signal_that_came_too_early_arrives_when_a_worker_of_any_class_is_ready(
    told, held, monkeypatch
):
    monkeypatch.setattr("gc.freeze", lambda: None)
    arrived = []
    before = signal.signal(signal.SIGTERM, lambda number, _: arrived.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    signal.raise_signal(signal.SIGTERM)  # for this thread: no other holds it back

    early = [*arrived]
    told()["post_worker_init"](None)

    assert (early, arrived) == ([], [signal.SIGTERM])
    assert held() == set()
    signal.signal(signal.SIGTERM, before)


def test_no_signal_is_held_back_from_a_new_master(told, held):
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    told()["pre_exec"](None)

    assert held() == set()


@pytest.mark.parametrize(
    "variable, value", [("OCTOMIL_PORT", "http"), ("OCTOMIL_API_KEYS", "")]
)
def test_a_wrong_setting_ends_the_start_with_one_line(told, variable, value):
    with pytest.raises(SystemExit) as caught:
        told(**{variable: value})

    assert str(caught.value).startswith(f"octomil-ref: {variable}: ")


def forked(settings, *others: int | None) -> SimpleNamespace:
    """A new worker beside `others`, which sit on these cores."""
    workers = {number: SimpleNamespace(core=core) for number, core in enumerate(others)}
    worker = SimpleNamespace()
    settings["pre_fork"](SimpleNamespace(WORKERS=workers), worker)
    settings["post_fork"](None, worker)
    return worker


@pytest.fixture
def pinned(monkeypatch):
    """Cores that were asked for, on a machine with three."""
    cores: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, mask: cores.append(mask))
    return cores


@pytest.mark.parametrize(
    ("others", "core"), [((0, 1), 2), ((2, 0), 1), ((1, 2, 0, 2, 0), 1)]
)
def test_a_worker_takes_the_core_with_the_fewest_others(told, pinned, others, core):
    forked(told(OCTOMIL_PIN_TO_CORE="1"), *others)

    assert pinned == [{core}]


def test_workers_run_anywhere_unless_told_otherwise(told, pinned):
    worker = forked(told(), 1)

    assert (worker.core, pinned) == (None, [])


def test_a_worker_learns_how_long_it_may_wait_for_a_client(told, pinned):
    assert forked(told(OCTOMIL_CLIENT_TIMEOUT="7.5")).client_timeout == 7.5


def test_as_many_clients_are_let_in_as_there_are_descriptors_for(told, monkeypatch):
    asked = []
    monkeypatch.setattr("octomil_ref.servers.door.client_connections", asked.append)

    told(OCTOMIL_THREADS="8", OCTOMIL_BATCH_MAX_CONCURRENCY="2")

    assert asked == [10]


def test_a_worker_that_hangs_is_replaced_well_before_its_clients_give_up(told):
    assert told()["timeout"] == 15


def test_a_worker_settles_its_memory_before_it_serves(told, monkeypatch):
    settled = []
    monkeypatch.setattr("gc.freeze", lambda: settled.append(True))

    told()["post_worker_init"](None)

    assert settled == [True]
