"""Settings for gunicorn: `gunicorn -c python:octomil_ref.gunicorn_settings 'octomil_ref.app:create_app()'`.

Not with --preload: pools and threads belong to the workers. gunicorn's own flags win over what stands here.
"""

from typing import Any

from octomil_ref.servers import gunicorn_signals
from octomil_ref.servers.door import client_connections
from octomil_ref.servers.process import free_core, settle_memory, stay_on
from octomil_ref.settings import DEFAULT_THREADS, load_or_exit, publish

_settings = load_or_exit()

bind = f"{_settings.url_host()}:{_settings.port}"
worker_class = "octomil_ref.servers.gunicorn_worker.Worker"
logger_class = "octomil_ref.servers.gunicorn_log.Log"
workers = _settings.workers
threads = _settings.threads or DEFAULT_THREADS
worker_connections = client_connections(threads + _settings.batch_max_concurrency)
# Seconds without a sign of life of a worker's loop, which gives one each second, before the worker is replaced. Its threads
# may take any time: a stream is not killed. Above that, room for a start on a slow machine.
timeout = 15
graceful_timeout = int(_settings.shutdown_grace)
keepalive = 75  # seconds; longer than the load balancers in front, which close first
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Tell the workers how many threads they have: some are kept free of long requests."""
    publish(OCTOMIL_THREADS=server.cfg.threads)
    gunicorn_signals.hold_for_new_processes()


def pre_exec(server: Any) -> None:
    """A new master, which is no worker, takes this one's place."""
    gunicorn_signals.release()


def pre_fork(server: Any, worker: Any) -> None:
    """Choose a core for the new worker while all others are known."""
    taken = [other.core for other in server.WORKERS.values()]
    worker.core = free_core(taken) if _settings.pin_to_core else None


def post_fork(server: Any, worker: Any) -> None:
    stay_on(worker.core)
    worker.client_timeout = _settings.client_timeout


def post_worker_init(worker: Any) -> None:
    """The worker, of whatever class, has its own handlers and its app."""
    gunicorn_signals.release()
    settle_memory()
