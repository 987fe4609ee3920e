"""The scripted backend in another process: its control API, and a client with the same interface.

The control API is POST /conf/NAME with the arguments as a JSON object. NAME is a method of interface.Backend, or `end_outage`, on the
connection that began the outage.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from inspect import signature
from typing import Any

from octomil_conformance.backend.gated import Outage
from octomil_conformance.backend.interface import BOTH, Backend
from octomil_conformance.backend.outages import Outages
from octomil_conformance.backend.response import Wire
from octomil_conformance.backend.witness import Call, Provider
from octomil_conformance.exchange import Json

SLACK = 10.0
"""Extra seconds for an answer, beyond the timeout of the question."""
METHODS = {name for name in vars(Backend) if not name.startswith("_")} - {"outage"}


class RemoteBackend:
    """`address` is either port of a running `octomil-conformance backend`. Raises ConnectionError if none answers there.

    It has all methods of interface.Backend. During an outage that refuses connections, only the end of the outage works.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        with self._connected(SLACK) as connection:
            about = _send(connection, "about", {})
        self.ollama_url: str = about["ollama_url"]
        self.openai_url: str = about["openai_url"]
        self.timeout: float = about["timeout"]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in METHODS:
            raise AttributeError(name)
        return partial(self._ask, name)

    @contextmanager
    def outage(
        self, kind: Outage = "refuse", backends: Sequence[Provider] = BOTH
    ) -> Iterator[None]:
        with self._connected(SLACK) as connection:
            _send(connection, "outage", {"kind": kind, "backends": list(backends)})
            try:
                yield
            finally:
                _send(connection, "end_outage", {})

    def _ask(self, name: str, *given: Any, **named: Any) -> Any:
        method = signature(getattr(Backend, name))
        arguments = method.bind(None, *given, **named).arguments
        del arguments["self"]
        timeout = arguments.get("timeout", 0.0) + SLACK
        with self._connected(timeout) as connection:
            return _understood(_send(connection, name, arguments))

    def _connected(self, timeout: float) -> closing[HTTPConnection]:
        return closing(HTTPConnection(self._address, timeout=timeout))


def _send(connection: HTTPConnection, name: str, arguments: Json) -> Any:
    """Raises ConnectionError if no scripted backend answers, ValueError if it refuses."""
    headers = {"Content-Type": "application/json"}
    place = f"{connection.host}:{connection.port}"
    try:
        connection.request("POST", f"/conf/{name}", json.dumps(arguments), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as ex:
        raise ConnectionError(f"no scripted backend answers at {place}") from ex
    if response.status == 400 and "error" in answer:
        raise ValueError(answer["error"])
    if response.status != 200 or "result" not in answer:
        raise ConnectionError(f"{place} is not a scripted backend")
    return answer["result"]


def _understood(value: Any) -> Any:
    """The result of a method, in which each JSON object is a call."""
    if isinstance(value, list):
        return [*map(_understood, value)]
    return Call(**value) if isinstance(value, dict) else value


def control(
    backend: Backend,
    outages: Outages,
    name: str,
    arguments: Mapping[str, Any],
    connection: Wire,
) -> Any:
    """Answers a call of the control API. Raises LookupError, TypeError or ValueError."""
    if name == "about":
        names = ("ollama_url", "openai_url", "timeout")
        return {each: getattr(backend, each) for each in names}
    if name == "outage":
        outages.begin(**arguments, spare=connection)
        return outages.end_with(connection)
    if name == "end_outage":
        return outages.end()
    if name not in METHODS:
        raise LookupError(name)
    return getattr(backend, name)(**arguments)
