"""Settings for gunicorn: `gunicorn -c python:octomil_ref.gunicorn_settings 'octomil_ref.app:create_app()'`.

Not with --preload: pools and threads belong to the workers. gunicorn's own flags win over what stands here.
"""

from typing import Any

from octomil_ref.process import free_core, settle_memory, stay_on
from octomil_ref.settings import DEFAULT_THREADS, load_or_exit, publish

_settings = load_or_exit()

bind = f"{_settings.url_host()}:{_settings.port}"
worker_class = "octomil_ref.gunicorn_worker.Worker"
logger_class = "octomil_ref.gunicorn_worker.Log"
workers = _settings.workers
threads = _settings.threads or DEFAULT_THREADS
worker_connections = 2000
graceful_timeout = int(_settings.shutdown_grace)
keepalive = 75  # seconds; longer than the load balancers in front, which close first
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Tell the workers how many threads they have: some are kept free of long requests."""
    publish(OCTOMIL_THREADS=server.cfg.threads)


def pre_fork(server: Any, worker: Any) -> None:
    """Choose a core for the new worker while all others are known."""
    taken = [other.core for other in server.WORKERS.values()]
    worker.core = free_core(taken) if _settings.pin_to_core else None


def post_fork(server: Any, worker: Any) -> None:
    stay_on(worker.core)


def post_worker_init(worker: Any) -> None:
    settle_memory()
