"""Lists the models that clients can ask for: those of the backends, and their aliases."""

import threading
from collections.abc import Mapping, Sequence

from octomil_ref.backends import Backend
from octomil_ref.clock import Deadline
from octomil_ref.errors import ModelNotFound, NotReached, UpstreamError

TIMEOUT = 2.0
"""Seconds for one backend to list its models, at most."""

CACHED = 5.0
"""Seconds for which a list is reused."""

Models = Mapping[str, str]
"""Model id to the provider that is asked for it first."""


class ModelList:
    """The union of all backends' models. Simultaneous callers share one round of requests."""

    def __init__(
        self,
        backends: Sequence[Backend],
        backend_timeout: float,
        aliases: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._backends = backends
        self._timeout = min(TIMEOUT, backend_timeout)
        self._aliases = aliases
        self._lock = threading.Lock()
        self._fresh = Deadline(0)
        self._models: Models = {}

    def all(self) -> Models:
        """Raises an UpstreamError if no backend can be asked. A backend that fails adds no models."""
        with self._lock:
            if self._fresh.remaining() <= 0:
                self._models = self._ask()
                self._fresh.renew(CACHED)
            return self._models

    def provider(self, model_id: str) -> str:
        """The provider of one model. Raises ModelNotFound."""
        found = self.all().get(model_id)
        if found is None:
            raise ModelNotFound(f"No backend has the model {model_id!r}.")
        return found

    def _ask(self) -> Models:
        models: dict[str, str] = {}
        failure: UpstreamError = NotReached("No backend is configured.")
        answered = False
        for backend in self._backends:
            try:
                names = backend.models(self._timeout)
            except UpstreamError as ex:
                failure = ex
                continue
            answered = True
            for name in [*names, *self._known_as(backend.provider, names)]:
                models.setdefault(name, backend.provider)
        if not answered:
            raise failure
        return models

    def _known_as(self, provider: str, names: Sequence[str]) -> list[str]:
        """The aliases whose model is there. Ollama lists the model `name` as `name:latest`."""
        there = {*names, *(name.removesuffix(":latest") for name in names)}
        aliases = self._aliases[provider]
        return [alias for alias, name in aliases.items() if name in there]
