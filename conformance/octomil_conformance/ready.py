"""From a configuration to a run that can begin: backend up, server answering, dialects known."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from octomil_conformance.backend import Backend, RemoteBackend, ScriptedBackend
from octomil_conformance.config import (
    DEFAULT_BACKEND,
    Config,
    CouldNotTest,
    UsageError,
    address,
)
from octomil_conformance.preflight import find_wiring, preflight
from octomil_conformance.run import Run

EXTERNAL = "external"

PORTS_HINT = "free the port, name others with --backend and --openai-backend, or use the backend that runs there with --backend external"


@contextmanager
def ready(config: Config, backend: Backend | None = None) -> Iterator[Run]:
    """Raises UsageError or CouldNotTest. A backend that is given is used as it is, and stays up."""
    if not __debug__:
        raise UsageError("python -O removes every assert, and with them the checks")
    with ExitStack() as resources:
        run = Run(config)
        if config.level == 2:
            run.backend = backend or resources.enter_context(_backend(config))
        preflight(run)
        if run.backend is not None:
            run.wired = find_wiring(run, run.backend)
        yield run


@contextmanager
def _backend(config: Config) -> Iterator[Backend]:
    with ExitStack() as resources:
        try:
            backend = _opened(config)
            resources.enter_context(backend)
        except ValueError as ex:
            raise UsageError(str(ex)) from ex
        except OSError as ex:
            raise CouldNotTest(f"our backend: {ex}\n{PORTS_HINT}") from ex
        yield backend


def _opened(config: Config) -> ScriptedBackend | RemoteBackend:
    if config.backend.startswith(EXTERNAL):
        where = config.backend.removeprefix(EXTERNAL).lstrip(":")
        return RemoteBackend(where or DEFAULT_BACKEND)
    return ScriptedBackend(
        ollama=address(config.backend),
        openai=address(config.openai_backend),
        timeout=config.backend_timeout,
        allow_remote=config.allow_remote,
    )
