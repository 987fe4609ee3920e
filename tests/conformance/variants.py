"""Servers that differ from the reference in a freedom that the spec leaves. Every check must pass on each."""

from dataclasses import dataclass

from layers import Layer

EVERYTHING = {"infer": 2, "stream": 2, "batch": 2, "embed": 2, "health": 2, "auth": 1}


@dataclass(frozen=True)
class Variant:
    name: str
    freedom: str
    layer: Layer
    claims: dict


_registry = {}


def all_variants():
    return _registry
