"""The scripted backend in another process: its control API, and a client with the same interface.

The control API is POST /conf/NAME with the arguments as a JSON object. NAME is a method of interface.Backend, or `end_outage`, on the
connection that began the outage.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from typing import Any, Self

from octomil_conformance.backend.interface import BOTH, Backend
from octomil_conformance.backend.outages import Outages
from octomil_conformance.backend.response import Wire
from octomil_conformance.backend.stage import Outage
from octomil_conformance.backend.witness import Call, Provider

SLACK = 10.0
"""Extra seconds for an answer, beyond the timeout of the question."""


class RemoteBackend:
    """`address` is either port of a running `octomil-conformance backend`. Raises ConnectionError if none answers there.

    During an outage that refuses connections, only the end of the outage works. See interface.Backend for the methods.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        about = self._ask("about")
        self.ollama_url: str = about["ollama_url"]
        self.openai_url: str = about["openai_url"]
        self.timeout: float = about["timeout"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Does nothing: each question has its own connection."""

    def calls(self, nonce: str) -> list[Call]:
        return _calls(self._ask("calls", nonce=nonce))

    def wait_for_calls(self, nonce: str, count: int, timeout: float) -> list[Call]:
        return _calls(
            self._ask("wait_for_calls", nonce=nonce, count=count, timeout=timeout)
        )

    def wait_for_active(self, nonce: str, count: int, timeout: float) -> bool:
        return bool(
            self._ask("wait_for_active", nonce=nonce, count=count, timeout=timeout)
        )

    def wait_for_tokens(self, nonce: str, count: int, timeout: float) -> bool:
        return bool(
            self._ask("wait_for_tokens", nonce=nonce, count=count, timeout=timeout)
        )

    def wait_for_hang_up(self, nonce: str, timeout: float) -> Call | None:
        call = self._ask("wait_for_hang_up", nonce=nonce, timeout=timeout)
        return Call(**call) if call else None

    def wait_until_idle(self, nonce: str, timeout: float) -> bool:
        return bool(self._ask("wait_until_idle", nonce=nonce, timeout=timeout))

    def high_water(self, nonce: str) -> int:
        return int(self._ask("high_water", nonce=nonce))

    def unknown(self) -> list[str]:
        return list(self._ask("unknown"))

    def forget(self, nonce: str) -> None:
        self._ask("forget", nonce=nonce)

    def allow(self, nonce: str, tokens: int) -> None:
        self._ask("allow", nonce=nonce, tokens=tokens)

    def open(self, nonce: str) -> None:
        self._ask("open", nonce=nonce)

    @contextmanager
    def outage(
        self, kind: Outage = "refuse", backends: Sequence[Provider] = BOTH
    ) -> Iterator[None]:
        with closing(self._connect(SLACK)) as connection:
            _send(connection, "outage", {"kind": kind, "backends": list(backends)})
            try:
                yield
            finally:
                _send(connection, "end_outage", {})

    def _connect(self, timeout: float) -> HTTPConnection:
        return HTTPConnection(self._address, timeout=timeout)

    def _ask(self, name: str, **arguments: Any) -> Any:
        timeout = arguments.get("timeout", 0.0) + SLACK
        with closing(self._connect(timeout)) as connection:
            return _send(connection, name, arguments)


def _send(connection: HTTPConnection, name: str, arguments: dict[str, Any]) -> Any:
    """Raises ConnectionError if no scripted backend answers, ValueError if it refuses."""
    headers = {"Content-Type": "application/json"}
    try:
        connection.request("POST", f"/conf/{name}", json.dumps(arguments), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as ex:
        raise ConnectionError(
            f"no scripted backend answers at {connection.host}:{connection.port}"
        ) from ex
    if response.status == 400 and "error" in answer:
        raise ValueError(answer["error"])
    if response.status != 200 or "result" not in answer:
        raise ConnectionError(
            f"{connection.host}:{connection.port} is not a scripted backend"
        )
    return answer["result"]


def _calls(values: list[dict[str, Any]]) -> list[Call]:
    return [Call(**value) for value in values]


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
