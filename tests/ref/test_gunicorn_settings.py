"""gunicorn's settings, made from the environment."""

import json
import logging
import os
import runpy
import signal
import tempfile
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from octomil_ref.keys import KeyRing


@pytest.fixture
def settings_with(monkeypatch):
    """A function that gives the settings as gunicorn reads them, with one token and the given variables set."""
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t")
    monkeypatch.setattr(logging.getLogger("gunicorn.error"), "filters", [])

    def settings_with(**variables: str) -> dict[str, object]:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        return runpy.run_module("octomil_ref.gunicorn_settings")

    return settings_with


@pytest.fixture
def cores(monkeypatch) -> list[set[int]]:
    """The cores that were asked for, on a machine with three."""
    cores: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, mask: cores.append(mask))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return cores


def forked(settings) -> object:
    """A new worker."""
    worker = object()
    settings["pre_fork"](None, worker)
    settings["post_fork"](None, worker)
    return worker


def test_the_defaults_are_one_process_of_64_threads_on_this_machine(settings_with):
    settings = settings_with()

    assert settings["bind"] == "127.0.0.1:8000"
    assert settings["worker_class"] == "gthread"
    assert (settings["workers"], settings["threads"]) == (1, 64)
    assert settings["worker_connections"] == 564
    assert settings["timeout"] == 30
    assert (settings["graceful_timeout"], settings["keepalive"]) == (60, 75)


def test_the_variables_count(settings_with):
    settings = settings_with(
        OCTOMIL_HOST="::1",
        OCTOMIL_PORT="80",
        OCTOMIL_WORKERS="2",
        OCTOMIL_THREADS="8",
        OCTOMIL_SHUTDOWN_GRACE="90",
        OCTOMIL_CLIENT_TIMEOUT="0.5",
    )

    assert settings["bind"] == "[::1]:80"
    assert (settings["workers"], settings["threads"]) == (2, 8)
    assert settings["worker_connections"] == 508
    assert (settings["graceful_timeout"], settings["keepalive"]) == (90, 1)


@pytest.mark.parametrize(
    "variable, value", [("OCTOMIL_PORT", "http"), ("OCTOMIL_API_KEYS", "")]
)
def test_a_wrong_setting_ends_the_start_with_one_line(settings_with, variable, value):
    with pytest.raises(SystemExit) as caught:
        settings_with(**{variable: value})

    assert str(caught.value).startswith(f"octomil-ref: {variable}: ")


SERVER = SimpleNamespace(cfg=SimpleNamespace(threads=12, worker_tmp_dir=None))


def test_the_workers_learn_how_many_threads_gunicorn_gives_them(settings_with):
    settings = settings_with()
    settings["on_starting"](SERVER)
    settings["on_exit"](SERVER)

    assert os.environ["OCTOMIL_THREADS"] == "12"


@pytest.mark.parametrize(("writable", "folder"), [(True, "/dev/shm"), (False, None)])
def test_workers_need_no_disk_where_there_is_shared_memory(
    settings_with, monkeypatch, writable, folder
):
    monkeypatch.setattr(os, "access", lambda path, mode: writable)

    assert settings_with()["worker_tmp_dir"] == folder


def test_metrics_have_a_folder_while_gunicorn_runs(
    settings_with, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = settings_with(OCTOMIL_METRICS="1")
    settings["on_starting"](SERVER)
    [folder] = tmp_path.iterdir()
    of_a_worker = folder / "gauge_livesum_7.db"
    of_a_worker.touch()

    settings["child_exit"](None, SimpleNamespace(pid=7))

    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(folder)
    assert not of_a_worker.exists()
    settings["on_exit"](SERVER)
    assert not folder.exists()


def test_a_worker_ends_at_once_on_ctrl_c(settings_with, monkeypatch):
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    settings_with()["worker_int"](object())

    assert codes == [0]


@pytest.mark.parametrize(
    "said, kept",
    [
        ("Invalid request from ip=127.0.0.1", "Invalid request"),
        ("Ignored premature client disconnection. No",) * 2,
    ],
)
def test_the_log_of_gunicorn_quotes_no_malformed_request_and_no_address(
    settings_with, caplog, said, kept
):
    settings_with()

    logging.getLogger("gunicorn.error").warning("%s: Bearer token", said)

    assert caplog.messages == [kept]


def test_workers_spread_over_the_cores_if_a_setting_says_so(settings_with, cores):
    forked(settings_with())
    assert cores == []
    settings = settings_with(OCTOMIL_PIN_TO_CORE="1")
    first, *_ = [forked(settings) for _ in range(4)]
    settings["child_exit"](None, first)

    forked(settings)
    forked(settings)

    assert cores == [{0}, {1}, {2}, {0}, {0}, {1}]


def test_a_worker_has_the_current_keys_can_be_stopped_and_freezes_its_memory(
    settings_with, monkeypatch
):
    calls: list[str] = []
    monkeypatch.setattr(KeyRing, "refresh", lambda keys: calls.append("read again"))
    monkeypatch.setattr("gc.freeze", lambda: calls.append("frozen"))
    handlers: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)

    settings = settings_with()
    settings["post_worker_init"](forked(settings))

    ending = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    assert handlers == dict.fromkeys(ending, signal.SIG_DFL)
    assert calls == ["read again", "frozen"]


def test_gunicorn_s_own_lines_look_like_ours(settings_with, capsys):
    settings = settings_with(OCTOMIL_LOG_FORMAT="json", OCTOMIL_LOG_LEVEL="WARNING")
    config = Config()
    config.set("loglevel", settings["loglevel"])

    log = Logger(config)
    log.info("Starting")
    log.warning("Worker (pid:%s) was sent SIGKILL!", 7)

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "Worker (pid:7) was sent SIGKILL!"
