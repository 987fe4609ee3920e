"""Conformant servers that use a freedom which the spec leaves. Every check must pass on each of them.

A variant is a layer like a mutant; its docstring is the freedom it takes. Answers that are empty, one token or a thousand
tokens long are asked of each by the suite itself, at level 2.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from octomil_conformance.server.layers import Json, Layer, fields_of, frames, on_streams

Play = TypeVar("Play", bound=Callable[..., object])
Claims = dict[str, int]

ALL = {"infer": 2, "stream": 2, "batch": 2, "embed": 2, "health": 2, "auth": 1}
ANSWERS = {"infer": 2, "batch": 2, "embed": 2, "health": 2}
STREAMS = {"stream": 2}


@dataclass(frozen=True)
class Variant:
    name: str
    freedom: str
    claims: Claims
    layer: Layer


_registry: dict[str, Variant] = {}


@cache
def all_variants() -> dict[str, Variant]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return _registry


def variant(
    claims: Claims, made: Callable[[Any], Layer] = lambda play: play
) -> Callable[[Play], Play]:
    """Decorates a layer, or a function that `made` turns into one."""

    def decorate(play: Play) -> Play:
        name = play.__name__
        _registry[name] = Variant(name, inspect.getdoc(play) or "", claims, made(play))
        return play

    return decorate


def each_frame(play: Callable[[Json | None, bytes], bytes]) -> Layer:
    """The layer of a function from the fields and bytes of a frame to the bytes to send instead."""

    def changed(pieces: Iterable[bytes]) -> Iterator[bytes]:
        return (play(fields_of(frame), frame) for frame in frames(pieces))

    return on_streams(changed)


def each_event(play: Callable[[Json], bytes]) -> Layer:
    """The layer of a function from the fields of an event to the bytes to send instead."""
    return each_frame(lambda fields, frame: play(fields) if fields else frame)
