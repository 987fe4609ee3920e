"""Settings for gunicorn: `gunicorn -c python:octomil_ref.gunicorn_settings 'octomil_ref.app:create_app()'`.

Not with --preload: pools and threads belong to the workers. gunicorn's own flags take precedence over these settings.
"""

import gc
import logging
import math
import os
import re
import signal
from typing import Any

from octomil_ref.logs import configure_logging, formatter
from octomil_ref.metrics import SharedFolder
from octomil_ref.settings import (
    DEFAULT_THREADS,
    IDLE_CONNECTIONS,
    load_or_exit,
    or_exit,
    publish,
)

_settings = load_or_exit()
_keys = _settings.key_ring()
configure_logging(_settings)

bind = _settings.address()
worker_class = "gthread"
loglevel = _settings.log_level.lower()
workers = _settings.workers
threads = _settings.threads or DEFAULT_THREADS
worker_connections = threads + IDLE_CONNECTIONS
# A worker is replaced if its loop, which reports each second, has not reported for this many seconds. Its threads may take any time:
# a stream is not killed. The loop also starts threads, which takes up to 15 seconds when 1,000 streams begin at once on one core.
timeout = 30
graceful_timeout = math.ceil(_settings.shutdown_grace)
keepalive = math.ceil(_settings.client_timeout)
control_socket_disable = True
# As under waitress, no header of a proxy changes the path or the scheme. gunicorn would take them from every client on this machine
# and on a Unix socket, so from every client of a proxy there.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# The folder of the files by which workers show that they are alive. In memory it needs no disk, and works where the root is read-only.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

_cores: dict[Any, int] = {}  # the core of each worker that runs

_metrics: list[SharedFolder] = []
"""Contains the folder of the metrics once the server has started, if metrics are on."""

_log = logging.getLogger("gunicorn.error")
_QUOTE_REQUESTS = ("Invalid request from ip=", "Ignored premature client disconnection")
"""gunicorn's messages that begin like this quote bytes of a request. The first one also has the client's address."""


def _as_ours(record: logging.LogRecord) -> bool:
    """Gives gunicorn's log our format, without clients' addresses and malformed requests, which may hold an API token.

    gunicorn makes its handlers after it has read this file. Its `logconfig_dict` could describe them, but it also turns the
    access log on.
    """
    for handler in _log.handlers:
        handler.setFormatter(formatter(_settings))
    said = record.getMessage()
    if said.startswith(_QUOTE_REQUESTS):
        record.msg, record.args = re.split(": | from ip=", said)[0], ()
    return True


_log.addFilter(_as_ours)


def on_starting(server: Any) -> None:
    """Tell the workers how many threads they have, and which folder holds the metrics."""
    publish(OCTOMIL_THREADS=server.cfg.threads)
    if _settings.metrics:
        with or_exit():
            folder = SharedFolder(_settings.metrics_folder, server.cfg.worker_tmp_dir)
        _metrics.append(folder)
        publish(PROMETHEUS_MULTIPROC_DIR=folder.path)


def pre_fork(server: Any, worker: Any) -> None:
    """Read the keys, which the worker needs if it cannot read them itself, and choose the core with the fewest workers."""
    _keys.refresh()
    if _settings.pin_to_core and hasattr(os, "sched_getaffinity"):
        taken = list(_cores.values())
        _cores[worker] = min(sorted(os.sched_getaffinity(0)), key=taken.count)


def post_fork(server: Any, worker: Any) -> None:
    # Until the worker sets its own handlers it has the master's, which would ignore a signal to stop.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    if worker in _cores:
        os.sched_setaffinity(0, {_cores[worker]})


def worker_int(worker: Any) -> None:
    """Ends a worker at once on Ctrl-C. Python itself would first wait for all threads, and so for streams."""
    os._exit(0)


def child_exit(server: Any, worker: Any) -> None:
    _cores.pop(worker, None)
    for folder in _metrics:
        folder.forget(worker.pid)


def on_exit(server: Any) -> None:
    for folder in _metrics:
        folder.remove()


def post_worker_init(worker: Any) -> None:
    gc.collect()
    gc.freeze()  # later collections, which halt every stream, skip the app's own objects
