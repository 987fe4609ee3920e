"""The scripted backend as the suite sees it, in this process or another."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from octomil_conformance.backend.stage import Outage
from octomil_conformance.backend.witness import Call, Provider

API_KEY = "conf-key"
"""What the server under test is to send to the OpenAI-compatible backend."""

BOTH: tuple[Provider, ...] = ("ollama", "openai")


class Backend(Protocol):
    """Each nonce stands for a group: itself, and all that begin with it and a dot. Times in seconds."""

    ollama_url: str
    openai_url: str
    """With `/v1`."""
    timeout: float
    """What the server under test was told."""

    def calls(self, nonce: str) -> list[Call]:
        """In order of arrival. The empty nonce: all that had none."""

    def wait_for_calls(self, nonce: str, count: int, timeout: float) -> list[Call]:
        """As soon as there are `count`, else what there is after `timeout`."""

    def wait_for_active(self, nonce: str, count: int, timeout: float) -> bool:
        """Whether at least `count` calls were being answered at one moment of the waiting."""

    def wait_for_tokens(self, nonce: str, count: int, timeout: float) -> bool:
        """Whether a call has sent `count` tokens."""

    def wait_for_hang_up(self, nonce: str, timeout: float) -> Call | None:
        """A call that the server under test left in mid-answer."""

    def wait_until_idle(self, nonce: str, timeout: float) -> bool:
        """Whether no call is being answered any more."""

    def high_water(self, nonce: str) -> int:
        """The most calls that were being answered at once."""

    def forget(self, nonce: str) -> None:
        """Drops records and gates."""

    def allow(self, nonce: str, tokens: int) -> None:
        """Streams may send that many tokens and no more; single answers are held."""

    def open(self, nonce: str) -> None:
        """Nothing is held any more, in calls to come neither."""

    def outage(
        self, kind: Outage = "refuse", backends: Sequence[Provider] = BOTH
    ) -> AbstractContextManager[None]:
        """`refuse`: the ports are closed, connections too. `hang`: nothing is answered. `fail`: 503 for everything."""


def environment(backend: Backend) -> dict[str, str]:
    """What the server under test is to be told."""
    return {
        "OLLAMA_BASE_URL": backend.ollama_url,
        "OPENAI_API_ENDPOINT": backend.openai_url,
        "OPENAI_API_KEY": API_KEY,
        "LLM_BACKEND_TIMEOUT": f"{backend.timeout:g}",
        "OCTOMIL_BACKEND_COOLDOWN": "0",
    }
