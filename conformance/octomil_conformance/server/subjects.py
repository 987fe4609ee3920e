"""Servers that a layer makes of a conformant one: mutants, which break the spec in one way each, and variants, which do not.

Each is made of a function that a decorator of on.py decorates. All checks of its `claims`, such as `stream@2`, judge it, and must find
exactly what it `violates`.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from octomil_conformance import spec
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import Config, parse_claims
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.layers import Layer


@dataclass(frozen=True)
class Subject:
    """A mutant or a variant."""

    name: str
    sentence: str
    """The bug of a mutant, or the freedom that a variant uses."""
    claims: dict[str, int]
    violates: frozenset[str]
    """Empty for a variant."""
    shows: str | None
    """The scenario in which a client sees it. None: only the backend sees it, or a client during an outage."""
    layer: Layer = lambda request, server: server(request)
    upstreams: Callable[[Upstreams], Upstreams] = lambda upstreams: upstreams
    """Takes the upstreams in the settings, and returns those that the server asks."""
    through: Provider | None = None
    """The upstream whose answers show the bug, if only one shows it. Checks through the other one pass."""


_registry: dict[str, Subject] = {}


def subjects_in(package: Iterable[str], name: str) -> dict[str, Subject]:
    """The subjects of the package with this path and name, by their names."""
    for module in pkgutil.iter_modules(package, f"{name}."):
        importlib.import_module(module.name)
    return _registry


def register(
    name: str,
    sentence: str,
    claims: str,
    violates: Iterable[str],
    shows: str | None,
    **how: Any,
) -> None:
    """`how`: the last fields of Subject."""
    if name in _registry:
        raise ValueError(f"two subjects are called {name}")
    levels = parse_claims(claims.split())
    _registry[name] = Subject(name, sentence, levels, frozenset(violates), shows, **how)


WORD = re.compile(r"([A-Z]+)-(\d\d)(?:\.\.(\d\d))?(\[(?:ollama|openai)\])?")


def requirements_in(text: str) -> list[str]:
    """The requirements that a text such as `HTTP-25 FAULT-01..04 REQ-17[openai]` names. Raises ValueError.

    `FAULT-01..04` stands for four of them. `[openai]` stands for those runs of the checks in which the fallback answers.
    """
    names = [name for word in text.split() for name in _names_in(word)]
    if len(names) > len({*names}):
        raise ValueError(f"{text!r} names a requirement twice")
    return names


def _names_in(word: str) -> list[str]:
    match = WORD.fullmatch(word)
    if not match:
        raise ValueError(f"expected an id such as HTTP-25 or HTTP-25..29, not {word!r}")
    area, first, last, provider = match.groups("")
    ids = [f"{area}-{n:02}" for n in range(int(first), int(last or first) + 1)]
    if not ids:
        raise ValueError(f"{word!r}: the last number is below the first one")
    if not {*ids} <= spec.requirements().keys():
        raise ValueError(f"{word!r} names what is not in the spec")
    return [name + provider for name in ids]


def all_but(claims: str, exempt: str) -> str:
    """The requirements of the claims without the exempt ones, for bugs that break nearly everything."""
    config = Config("", parse_claims(claims.split()))
    testable = [each for each in spec.requirements().values() if not each.untestable]
    claimed = [each for each in testable if config.profiles_for(each)]
    ids = [each.id for each in claimed if "auth" not in each.profiles]
    return " ".join(name for name in ids if name not in requirements_in(exempt))
