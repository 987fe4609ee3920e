"""What checks there are, read from their modules without running them."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from octomil_conformance import checks, wire
from octomil_conformance.api import MAX_TOKENS
from octomil_conformance.config import Config
from octomil_conformance.requirement import requirement_of
from octomil_conformance.run import ODD

ASKING = ("ask", "ask_raw", "accepts", "start")
"""What a check calls to send a request that a model may answer."""
UNLIMITED = ("accepts",)
"""Those that leave when the answer begins."""


@cache
def all_checks() -> tuple[Callable[..., Any], ...]:
    """Every function that is tied to a requirement."""
    return (*wire.CHECKS, *_functions())


def checks_of(name: str) -> list[str]:
    """`file:line name` of each check of a requirement."""
    return [_place(check) for check in all_checks() if requirement_of(check).id == name]


def cost(config: Config) -> str:
    """What the run will ask of the model, at most."""
    requests = _requests(config, ASKING)
    unlimited = _requests(config, UNLIMITED)
    for profile, level in config.claims.items():
        requests += 1 + (len(ODD.get(profile, ())) if level == 2 else 0)
    if config.level == 2:
        return f"at most {requests} requests that our backend answers"
    limits = f"{MAX_TOKENS} tokens each"
    if unlimited:
        limits += f", but for {unlimited} without a limit"
    return f"at most {requests} requests that the model answers: {limits}"


def _requests(config: Config, names: Collection[str]) -> int:
    """How often all checks that are claimed call a method of such a name."""
    return sum(
        len(config.profiles_for(requirement_of(check))) * _calls(check, names)
        for check in _functions()
    )


def _functions() -> Iterator[Callable[..., Any]]:
    for module in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isfunction(value) and hasattr(value, "requirement"):
                yield value


def _calls(check: Callable[..., Any], names: Collection[str]) -> int:
    """Of one check, counted in its source."""
    calls = [
        node.func.attr
        for node in ast.walk(ast.parse(inspect.getsource(check)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    cases = [
        mark.args[1]
        for mark in getattr(check, "pytestmark", ())
        if mark.name == "parametrize"
    ]
    times = len(cases[0]) if cases else 1
    return times * sum(name in names for name in calls)


def _place(check: Callable[..., Any]) -> str:
    path = Path(inspect.getsourcefile(check) or "")
    line = inspect.getsourcelines(check)[1]
    return f"{path.parent.name}/{path.name}:{line} {check.__name__}"
