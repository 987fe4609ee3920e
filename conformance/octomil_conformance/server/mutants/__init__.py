"""Servers that break the spec in one way each. Their functions have at most ten lines after the docstring."""

from functools import cache

from octomil_conformance.server.subjects import Subject, subjects_in


@cache
def all_mutants() -> dict[str, Subject]:
    found = subjects_in(__path__, __name__)
    return {name: each for name, each in found.items() if each.violates}
