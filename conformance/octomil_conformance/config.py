"""Makes the configuration of a run from the command line and octomil-conformance.toml."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance import spec

BASE_PATH = "/api/v1"
PATHS = {
    "infer": "/inference",
    "stream": "/inference/stream",
    "batch": "/inference/batch",
    "embed": "/embeddings",
    "health": "/inference/health",
}
"""The paths below it, by profile."""
METHODS = {name: "GET" if name == "health" else "POST" for name in PATHS}
LONGEST_FIRST = sorted(PATHS.values(), key=len, reverse=True)
DEFAULT_BACKEND = "127.0.0.1:11434"
DEFAULT_OPENAI_BACKEND = "127.0.0.1:11435"
DEFAULT_BACKEND_TIMEOUT = 2.0
EXTERNAL = "external"
SCRIPTED_MODEL = "conf-echo"
"""The model if none is named. The scripted backend has it."""

CHECK_SECONDS = 10.0
"""Seconds for one check at level 0 or 1. Level 2 adds the timeouts of the server."""
RUN_SECONDS = (60.0, 180.0, 480.0)
"""Seconds for the whole run, by the highest claimed level."""

AT_ONCE = (4, 4, 12)
"""Checks that run at once, by the highest claimed level: a real model should not be flooded."""

TOO_LONG = 86400.0
"""The most seconds of a timeout. Larger numbers overflow in sockets."""
POSITIVE = f"a number above 0 and below {TOO_LONG:.0f}"

FILE = "octomil-conformance.toml"
FILE_KEYS = {
    "profiles": list,
    "model": str,
    "embed_model": str,
    "backend": str,
    "openai_backend": str,
    "backend_timeout": float | int,
    "timeout_factor": float | int,
    "at_once": int,
    "strict": bool,
    "spec": str,
    "expected": list,
}

UNDECLARED = ("infer", "stream", "embed")
"""Judged at level 1 if nothing is claimed; auth too, if there is a token."""


class UsageError(Exception):
    """The command line or the file is wrong. The message says what was expected."""


class CouldNotTest(Exception):
    """There is nothing to judge. The message says what to do."""


class CannotListen(OSError):
    """A server cannot have its address. The message names it."""


@dataclass(frozen=True)
class Expectation:
    """A failure that the implementer knows."""

    check: str
    """`STREAM-10`, `HTTP-05[stream]` for one profile only, or `STREAM-21[openai]` for one upstream only."""
    reason: str
    link: str = ""

    def covers(
        self, requirement: str, profile: str, through: str | None = None
    ) -> bool:
        narrower = [f"{requirement}[{each}]" for each in (profile, through) if each]
        return self.check in (requirement, *narrower)

    def is_for(self, level: int, profiles: Iterable[str]) -> bool:
        """True if a run of these profiles, up to this level, can have this failure."""
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
    """HOST:PORT to listen on; `external` or `external:HOST:PORT` where octomil-conformance backend already runs."""
    openai_backend: str = DEFAULT_OPENAI_BACKEND
    backend_timeout: float = DEFAULT_BACKEND_TIMEOUT
    """Seconds that the server waits for an upstream, by its settings."""
    allow_remote: bool = False
    strict: bool = False
    timeout_factor: float = 1.0
    at_once: int | None = None
    """Checks that run at once; by default as many as AT_ONCE says."""
    expected: tuple[Expectation, ...] = ()
    spec_version: str = spec.VERSION
    """Only the requirements of this version are judged."""

    @property
    def level(self) -> int:
        """The highest level at which something is judged."""
        return max(
            min(level, spec.highest_level(name)) for name, level in self.claims.items()
        )

    @property
    def check_seconds(self) -> float:
        return (CHECK_SECONDS + 3 * self.backend_timeout) * self.timeout_factor

    @property
    def workers(self) -> int:
        return self.at_once or AT_ONCE[self.level]

    @property
    def run_seconds(self) -> float:
        longer = max(1.0, AT_ONCE[self.level] / self.workers)
        return RUN_SECONDS[self.level] * self.timeout_factor * longer

    def claimed_in_vain(self) -> list[str]:
        """A sentence for each claim whose level has no requirements of that profile."""
        return [
            f"{name}@{level} is judged at level {highest}, the highest that its requirements have"
            for name, level in self.claims.items()
            if (highest := spec.highest_level(name)) < level
        ]

    def not_declared(self) -> list[str]:
        return [name for name in spec.PROFILES if name not in self.claims]

    def profiles_for(self, requirement: spec.Requirement) -> list[str]:
        """The profiles for which its checks run. Those of auth run at every claimed endpoint but health, or at that of infer."""
        if requirement.id not in spec.ids_in(self.spec_version):
            return []
        named = [
            name
            for name in requirement.profiles
            if self.claims.get(name, -1) >= requirement.level
        ]
        if named != ["auth"]:
            return named
        endpoints = [name for name in self.claims if name not in ("auth", "health")]
        return endpoints or ["infer"]


def from_options(options: Mapping[str, Any], folder: Path) -> Config:
    """Options take precedence over the file in `folder`. Raises UsageError, which names the option or the key."""
    given = _given(options, folder)
    _require_values(given)
    claims = parse_claims(given.pop("profiles", None) or ())
    if not claims:
        claims = {name: 1 for name in UNDECLARED}
        claims |= {"auth": 1} if given.get("token") else {}
    if "auth" in claims and not given.get("token"):
        raise UsageError("profile auth needs --token")
    url = base_url(given.pop("url"))
    return Config(url=url, claims=claims, **given)


def for_recordings(
    label: str, profiles: Iterable[str], options: Mapping[str, Any], folder: Path
) -> Config:
    """Takes from the file in `folder` only `strict`, `spec`, and the failures that recordings can show. Raises UsageError."""
    given = _given(options, folder)
    return Config(
        url=label,
        claims=dict.fromkeys(profiles, 0),
        strict=given.get("strict", False),
        expected=tuple(each for each in given["expected"] if each.is_for(0, profiles)),
        spec_version=given["spec_version"],
    )


def _given(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The fields of Config that the file or an option has. `expected` and `spec_version` are checked, all others not yet."""
    given = _read_file(folder / FILE)
    given |= {name: value for name, value in options.items() if value is not None}
    version = given.pop("spec", spec.VERSION)
    if version not in (versions := spec.additions()):
        raise UsageError(
            f"spec: expected one of {', '.join(versions)}, not {version!r}"
        )
    expected = _expected(given.pop("expected", ()), version)
    return given | {"expected": expected, "spec_version": version}


def base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_url = bool(parts.scheme in ("http", "https") and parts.hostname)
        is_url = is_url and parts.port != 0 and is_printable(text) and " " not in text
    except ValueError as ex:
        raise UsageError(f"URL: expected http://HOST:PORT, not {text!r}: {ex}") from ex
    if "@" in parts.netloc:
        raise UsageError(
            "URL: expected one without a user or a password: reports would show it"
        )
    if not is_url or parts.query or parts.fragment:
        raise UsageError(
            f"URL: expected http://HOST:PORT, and a path if there is one, not {text!r}"
        )
    base = text.rstrip("/").removesuffix(BASE_PATH)
    endpoint = next((each for each in LONGEST_FIRST if base.endswith(each)), "")
    if endpoint and not text.rstrip("/").endswith(BASE_PATH):
        server = base.removesuffix(endpoint).removesuffix(BASE_PATH)
        raise UsageError(
            f"URL: {text} is that of an endpoint; expected the server's: {server or text}"
        )
    return base + BASE_PATH


def claims_in_words(claims: Mapping[str, int]) -> str:
    """The claims as the options of the command write them: `stream@1 embed@1`."""
    return " ".join(f"{name}@{level}" for name, level in claims.items())


def parse_claims(texts: Iterable[object]) -> dict[str, int]:
    claims: dict[str, int] = {}
    for text in map(str, texts):
        name, _, level = text.partition("@")
        if name not in spec.PROFILES or level not in ("", "0", "1", "2"):
            raise UsageError(
                f"profile: expected one of {', '.join(spec.PROFILES)}, with @0, @1 or @2, not {text!r}"
            )
        claims[name] = max(claims.get(name, 0), int(level or 1))
    return claims


def address(text: str) -> tuple[str, int]:
    """From HOST:PORT, [IPV6]:PORT, or a port alone on 127.0.0.1. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"expected HOST:PORT, not {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_positive(value: float) -> bool:
    return 0 < value < TOO_LONG


def is_printable(text: str) -> bool:
    """True if it can be part of the head of a request."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _require_values(given: Mapping[str, Any]) -> None:
    """Raises UsageError for a value that has the right type and makes no sense."""
    for name in ("model", "embed_model"):
        if given.get(name) == "":
            raise UsageError(f"{name}: expected a name, not an empty one")
    for name in ("backend_timeout", "timeout_factor"):
        if not is_positive(given.get(name, 1)):
            raise UsageError(f"{name}: expected {POSITIVE}, not {given[name]}")
    if given.get("at_once", 1) < 1:
        raise UsageError(f"at_once: expected 1 or more, not {given['at_once']}")
    if not is_printable(given.get("token", "")):
        raise UsageError("token: expected printable ASCII without spaces around it")


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as ex:
        raise UsageError(f"{path.name}: {ex}") from ex
    for key, value in given.items():
        if key not in FILE_KEYS:
            raise UsageError(f"{path.name}: unknown key {key!r}")
        is_bool = isinstance(value, bool)  # to Python a bool is an int
        if not isinstance(value, FILE_KEYS[key]) or is_bool != (FILE_KEYS[key] is bool):
            raise UsageError(f"{path.name}: {key} has the wrong type")
    return given


def _expected(entries: Iterable[object], version: str) -> tuple[Expectation, ...]:
    """The expected failures, except those about requirements that the version does not have."""
    found = map(_expectation, entries)
    known = spec.ids_in(version)
    return tuple(each for each in found if each.check.partition("[")[0] in known)


def _expectation(entry: object) -> Expectation:
    fields = entry if isinstance(entry, dict) else {}
    if not fields.get("check") or not fields.get("reason"):
        raise UsageError(f"{FILE}: an [[expected]] entry needs 'check' and 'reason'")
    if not all(isinstance(value, str) for value in fields.values()):
        raise UsageError(f"{FILE}: [[expected]]: expected strings only")
    unknown = set(fields) - {"check", "reason", "link"}
    if unknown:
        raise UsageError(f"{FILE}: unknown key {min(unknown)!r} in [[expected]]")
    name = re.sub(r"\[[a-z]+\]$", "", fields["check"])
    if name not in spec.requirements():
        raise UsageError(f"{FILE}: no requirement is called {fields['check']}")
    return Expectation(**fields)
