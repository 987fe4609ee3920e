"""From the command line and octomil-conformance.toml to a configuration. Whatever makes no sense is a UsageError that names the option or the key."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance import spec
from octomil_conformance.config import (
    BASE_PATH,
    POSITIVE,
    Config,
    Expectation,
    UsageError,
    is_positive,
    is_printable,
)

FILE = "octomil-conformance.toml"

UNDECLARED = ("infer", "stream", "embed")
"""Judged at level 1 when nothing is claimed; auth too, when there is a token."""


def from_options(options: Mapping[str, Any], folder: Path) -> Config:
    """Raises UsageError. What the file in `folder` says holds where no option says otherwise."""
    given = {
        **_read_file(folder / FILE),
        **{name: value for name, value in options.items() if value is not None},
    }
    expected = tuple(_expectation(entry) for entry in given.pop("expected", ()))
    _require_values(given)
    claims = parse_claims(given.pop("profiles", None) or ())
    if not claims:
        claims = {name: 1 for name in UNDECLARED}
        claims |= {"auth": 1} if given.get("token") else {}
    if "auth" in claims and not given.get("token"):
        raise UsageError("profile auth needs --token")
    return Config(
        url=base_url(given.pop("url")), claims=claims, expected=expected, **given
    )


def for_recordings(
    label: str, profiles: Iterable[str], strict: bool | None, folder: Path
) -> Config:
    """Of the file in `folder` only the failures that recordings of these profiles can show, and whether it is strict. Raises UsageError."""
    given = _read_file(folder / FILE)
    expected = tuple(
        each
        for each in map(_expectation, given.get("expected", ()))
        if each.is_for(0, profiles)
    )
    return Config(
        url=label,
        claims=dict.fromkeys(profiles, 0),
        strict=given.get("strict", False) if strict is None else strict,
        expected=expected,
    )


def base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_url = bool(parts.scheme in ("http", "https") and parts.hostname)
        is_url = is_url and parts.port != 0 and is_printable(text) and " " not in text
    except ValueError as ex:
        raise UsageError(f"URL: want http://HOST:PORT, not {text!r}: {ex}") from ex
    if "@" in parts.netloc:
        raise UsageError("URL: want none with a user or a password: reports show it")
    if not is_url or parts.query or parts.fragment:
        raise UsageError(
            f"URL: want http://HOST:PORT, and a path where there is one, not {text!r}"
        )
    return text.rstrip("/").removesuffix(BASE_PATH) + BASE_PATH


def parse_claims(texts: Iterable[object]) -> dict[str, int]:
    claims: dict[str, int] = {}
    for text in map(str, texts):
        name, _, level = text.partition("@")
        if name not in spec.PROFILES or level not in ("", "0", "1", "2"):
            raise UsageError(
                f"profile: want one of {', '.join(spec.PROFILES)}, with @0, @1 or @2, not {text!r}"
            )
        claims[name] = max(claims.get(name, 0), int(level or 1))
    return claims


def _require_values(given: Mapping[str, Any]) -> None:
    """Raises UsageError for what has the right type and makes no sense."""
    for name in ("model", "embed_model"):
        if given.get(name) == "":
            raise UsageError(f"{name}: want a name, not an empty one")
    for name in ("backend_timeout", "timeout_factor"):
        if not is_positive(given.get(name, 1)):
            raise UsageError(f"{name}: want {POSITIVE}, not {given[name]}")
    if not is_printable(given.get("token", "")):
        raise UsageError("token: want printable ASCII without spaces around it")


FILE_KEYS = {
    "profiles": list,
    "model": str,
    "embed_model": str,
    "backend": str,
    "openai_backend": str,
    "backend_timeout": float | int,
    "timeout_factor": float | int,
    "strict": bool,
    "expected": list,
}


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
        is_bool = isinstance(value, bool)  # which Python takes for a number
        if not isinstance(value, FILE_KEYS[key]) or is_bool != (FILE_KEYS[key] is bool):
            raise UsageError(f"{path.name}: {key} has the wrong type")
    return given


def _expectation(entry: object) -> Expectation:
    fields = entry if isinstance(entry, dict) else {}
    if not fields.get("check") or not fields.get("reason"):
        raise UsageError(f"{FILE}: an [[expected]] entry needs 'check' and 'reason'")
    if not all(isinstance(value, str) for value in fields.values()):
        raise UsageError(f"{FILE}: [[expected]]: want strings only")
    unknown = set(fields) - {"check", "reason", "link"}
    if unknown:
        raise UsageError(f"{FILE}: unknown key {min(unknown)!r} in [[expected]]")
    name = re.sub(r"\[[a-z]+\]$", "", fields["check"])
    if name not in spec.requirements():
        raise UsageError(f"{FILE}: no requirement is called {fields['check']}")
    return Expectation(**fields)
