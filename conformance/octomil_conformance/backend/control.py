"""The control API for a suite in another process: POST /conf/NAME with the arguments as a JSON object.

NAME is a method of interface.Backend, or `end_outage`, on the connection that began the outage.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from octomil_conformance.backend.interface import Backend
from octomil_conformance.backend.outages import Outages
from octomil_conformance.backend.response import Wire
from octomil_conformance.backend.witness import Call

METHODS = {name for name in vars(Backend) if not name.startswith("_")} - {"outage"}


class Control:
    def __init__(self, backend: Backend, outages: Outages) -> None:
        self._backend = backend
        self._outages = outages

    def call(self, name: str, arguments: Mapping[str, Any], connection: Wire) -> Any:
        """Returns a JSON value. Raises LookupError, TypeError or ValueError."""
        if name == "about":
            return {
                "ollama_url": self._backend.ollama_url,
                "openai_url": self._backend.openai_url,
                "timeout": self._backend.timeout,
            }
        if name == "outage":
            self._outages.begin(**arguments, spare=connection)
            return self._outages.end_with(connection)
        if name == "end_outage":
            return self._outages.end()
        if name not in METHODS:
            raise LookupError(name)
        return _plain(getattr(self._backend, name)(**arguments))


def _plain(value: Any) -> Any:
    if isinstance(value, Call):
        return asdict(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
