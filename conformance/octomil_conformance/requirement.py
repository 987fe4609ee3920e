"""Ties a check to the sentence that it checks."""

from collections.abc import Callable
from typing import Any, TypeVar

from octomil_conformance import spec

Function = TypeVar("Function", bound=Callable[..., Any])


def requirement(name: str, *, serial: bool = False) -> Callable[[Function], Function]:
    """Level, profiles and text come from the spec. A serial check runs alone, after all others: it takes the upstreams away."""

    def mark(function: Function) -> Function:
        function.requirement = spec.requirements()[name]  # type: ignore[attr-defined]
        function.serial = serial  # type: ignore[attr-defined]
        return function

    return mark


def requirement_of(function: Callable[..., Any]) -> spec.Requirement:
    found: spec.Requirement = function.requirement  # type: ignore[attr-defined]
    return found
