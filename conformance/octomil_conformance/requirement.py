"""A check: a function that is tied to the requirement it checks."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from octomil_conformance import spec
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Provider

EACH_BACKEND = BOTH
ANY_BACKEND: tuple[Provider | None, ...] = (None,)

Cases = Mapping[str, Any] | Sequence[Any]
ONE_CASE: Cases = {"": ()}


@dataclass(frozen=True, eq=False)
class Check:
    """At level 0 it is a function of an exchange, at other levels of an Api and the values of a case."""

    requirement: spec.Requirement
    function: Callable[..., None]
    cases: Mapping[str, tuple[Any, ...]]
    """Arguments by the name of the case. Most checks have one case, without a name and arguments."""
    serial: bool
    """True if it runs alone after all others, because it stops upstreams or needs much of the processor."""
    through: tuple[Provider | None, ...] = ANY_BACKEND
    """The upstreams that have to answer. The check runs once for each of them. None stands for any upstream."""

    def __call__(self, *arguments: Any) -> None:
        self.function(*arguments)

    @property
    def name(self) -> str:
        return self.function.__name__

    def sentence(self, case: str = "", through: Provider | None = None) -> str:
        """The name in words, with the case and the upstream that has to answer."""
        words = self.name.replace("_", " ")
        more = ", ".join(filter(None, [case, through and f"through {through}"]))
        return f"{words} ({more})" if more else words

    @property
    def place(self) -> str:
        path = Path(inspect.getsourcefile(self.function) or "")
        line = inspect.getsourcelines(self.function)[1]
        return f"{path.parent.name}/{path.name}:{line} {self.name}"


def id_through(name: str, through: Provider | None) -> str:
    """A requirement, and the upstream that has to answer: `STREAM-21[openai]`."""
    return f"{name}[{through}]" if through else name


def requirement(
    name: str,
    cases: Cases = ONE_CASE,
    *,
    serial: bool = False,
    through: tuple[Provider | None, ...] = ANY_BACKEND,
) -> Callable[[Callable[..., None]], Check]:
    """Decorates a check. A case is one argument, or a tuple of them; without names it is called by its value.

    `through=EACH_BACKEND`: it runs twice, once answered by Ollama, once by the fallback because Ollama fails.
    """

    known = spec.requirements()[name]
    return lambda function: Check(known, function, _cases(cases), serial, through)


def checks_in(*modules: ModuleType) -> Iterator[Check]:
    """The checks that the modules define, in the order of their source."""
    for module in modules:
        found = (each for each in vars(module).values() if isinstance(each, Check))
        for check in found:
            if check.function.__module__ == module.__name__:
                yield check


def _cases(given: Cases) -> Mapping[str, tuple[Any, ...]]:
    if not isinstance(given, Mapping):
        given = {_name(each): each for each in given}
    return {name: _arguments(value) for name, value in given.items()}


def _arguments(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _name(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_name, value))
    is_word = isinstance(value, str) and re.fullmatch(r"[\w.-]+", value)
    return value if is_word else repr(value)
