"""The scripted backend as checks use it, in this process or in another one."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from octomil_conformance.backend.gated import Outage
from octomil_conformance.backend.witness import Call, Provider

API_KEY = "conf-key"
"""The key that the server under test sends to the OpenAI-compatible backend."""

BOTH: tuple[Provider, ...] = ("ollama", "openai")


class Backend(Protocol):
    """A nonce stands for a group: itself, and every nonce that begins with it and a dot. Times are seconds."""

    ollama_url: str
    openai_url: str
    """The base URL, which ends with `/v1`."""
    timeout: float
    """LLM_BACKEND_TIMEOUT of the server under test."""

    def calls(self, nonce: str) -> list[Call]:
        """The calls in order of arrival. The empty nonce stands for calls without one."""

    def wait_for_calls(self, nonce: str, count: int, timeout: float) -> list[Call]:
        """The calls, as soon as there are `count` of them or after `timeout`."""

    def wait_for_active(self, nonce: str, count: int, timeout: float) -> int:
        """The most calls that one upstream answered at the same time, as soon as they are `count` or after `timeout`."""

    def wait_for_hang_up(self, nonce: str, timeout: float) -> Call | None:
        """Waits for a call in which the server under test hung up in the middle of the answer."""

    def wait_until_idle(self, nonce: str, timeout: float) -> bool:
        """True once no call is being answered."""

    def high_water(self, nonce: str) -> int:
        """The most calls that were answered at the same time."""

    def unknown(self) -> list[str]:
        """Requests for paths that the scripted backend does not have, such as `GET /api/foo`."""

    def open(self, nonce: str) -> None:
        """Opens the gate: releases all calls that are held, and holds no later ones."""

    def outage(
        self, kind: Outage = "refuse", backends: Sequence[Provider] = BOTH
    ) -> AbstractContextManager[None]:
        """`refuse` closes the ports and all connections, `hang` answers nothing, `fail` answers everything with 503."""


def environment(backend: Backend) -> dict[str, str]:
    """The environment variables of the server under test."""
    return environment_for(backend.ollama_url, backend.openai_url, backend.timeout)


def environment_for(ollama: str, openai: str, timeout: float) -> dict[str, str]:
    return {
        "OLLAMA_BASE_URL": ollama,
        "OPENAI_API_ENDPOINT": openai,
        "OPENAI_API_KEY": API_KEY,
        "LLM_BACKEND_TIMEOUT": f"{timeout:g}",
        "OCTOMIL_BACKEND_COOLDOWN": "0",
    }
