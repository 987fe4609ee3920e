"""What a run was asked to judge: address, claims, models, expected failures. `configure.py` makes it of what somebody says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from octomil_conformance import spec

BASE_PATH = "/api/v1"
PATHS = {
    "infer": "/inference",
    "stream": "/inference/stream",
    "batch": "/inference/batch",
    "embed": "/embeddings",
    "health": "/inference/health",
}
"""Below it: where each profile with an endpoint has it."""
DEFAULT_BACKEND = "127.0.0.1:11434"
DEFAULT_OPENAI_BACKEND = "127.0.0.1:11435"
DEFAULT_BACKEND_TIMEOUT = 2.0
SCRIPTED_MODEL = "conf-echo"
"""Known to the scripted backend, which stands behind a server unless a model is named."""

CHECK_SECONDS = 10.0
"""For one check at level 0 or 1. Level 2 adds the server's own time-outs."""
RUN_SECONDS = (60.0, 90.0, 240.0)
"""For the whole run, by the highest level claimed."""

TOO_LONG = 86400.0
"""Seconds; no socket waits for as many as a number can say."""
POSITIVE = f"a number above 0 and below {TOO_LONG:.0f}"


class UsageError(Exception):
    """What was asked makes no sense; the message says what was expected."""


class CouldNotTest(Exception):
    """There is nothing to judge. The message says what to do."""


@dataclass(frozen=True)
class Expectation:
    """A failure that the implementer knows of."""

    check: str
    """`STREAM-10`, or `HTTP-05[stream]` for one profile only."""
    reason: str
    link: str = ""

    def covers(self, requirement: str, profile: str) -> bool:
        return self.check in (requirement, f"{requirement}[{profile}]")

    def is_for(self, level: int, profiles: Iterable[str]) -> bool:
        """Whether a run of these profiles, up to this level, can meet it."""
        requirement = spec.requirements()[self.check.partition("[")[0]]
        return requirement.level <= level and any(
            self.covers(requirement.id, profile)
            for profile in {*profiles} & {*requirement.profiles}
        )


@dataclass(frozen=True)
class Config:
    url: str
    """Up to and with `/api/v1`."""
    claims: Mapping[str, int]
    """Profile to level."""
    token: str | None = None
    model: str = SCRIPTED_MODEL
    embed_model: str = SCRIPTED_MODEL
    backend: str = DEFAULT_BACKEND
    """HOST:PORT to listen on; `external` or `external:HOST:PORT` where octomil-conformance backend runs already."""
    openai_backend: str = DEFAULT_OPENAI_BACKEND
    backend_timeout: float = DEFAULT_BACKEND_TIMEOUT
    """Seconds; what the server was told."""
    allow_remote: bool = False
    strict: bool = False
    timeout_factor: float = 1.0
    expected: tuple[Expectation, ...] = field(default=())

    @property
    def level(self) -> int:
        return max(self.claims.values())

    @property
    def check_seconds(self) -> float:
        return (CHECK_SECONDS + 3 * self.backend_timeout) * self.timeout_factor

    @property
    def run_seconds(self) -> float:
        return RUN_SECONDS[self.level] * self.timeout_factor

    def claimed(self) -> str:
        return " ".join(f"{name}@{level}" for name, level in self.claims.items())

    def not_declared(self) -> list[str]:
        return [name for name in spec.PROFILES if name not in self.claims]

    def profiles_for(self, requirement: spec.Requirement) -> list[str]:
        """Those in whose name a check of it runs. Tokens are tried at every endpoint that is claimed, or at infer's."""
        named = [
            name
            for name in requirement.profiles
            if self.claims.get(name, -1) >= requirement.level
        ]
        if named != ["auth"]:
            return named
        endpoints = [name for name in self.claims if name not in ("auth", "health")]
        return endpoints or ["infer"]


def address(text: str) -> tuple[str, int]:
    """Of HOST:PORT, [IPV6]:PORT, or a port alone on 127.0.0.1. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"want HOST:PORT, not {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_positive(value: float) -> bool:
    return 0 < value < TOO_LONG


def is_printable(text: str) -> bool:
    """Whether it can be part of a request's head."""
    return text.isascii() and text.isprintable() and text == text.strip()
