"""Servers that differ from the reference in a freedom that the spec leaves. Every check must pass on each.

A variant is a layer like a mutant; its docstring is the freedom it takes. Answers that are empty, one token or a thousand
tokens long are asked of each by the suite itself, at level 2.
"""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import cache

from layers import Answer, Ask, Layer, Request
from mutants import fields_of, frames

ALL = {"infer": 2, "stream": 2, "batch": 2, "embed": 2, "health": 2, "auth": 1}
ANSWERS = {"infer": 2, "batch": 2, "embed": 2, "health": 2}
STREAMS = {"stream": 2}


@dataclass(frozen=True)
class Variant:
    name: str
    freedom: str
    claims: dict[str, int]
    layer: Layer


_registry: dict[str, Variant] = {}


@cache
def all_variants() -> dict[str, Variant]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return _registry


def variant(claims, made=lambda play: play):
    def decorate(play):
        name = play.__name__
        _registry[name] = Variant(name, inspect.getdoc(play) or "", claims, made(play))
        return play

    return decorate


def bodies(play) -> Layer:
    """For a function that changes the JSON of an answer, good or bad."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream or not answer.body:
            return answer
        fields = answer.fields
        instead = play(fields)
        return answer.send(fields if instead is None else instead)

    return changed


def streams(play) -> Layer:
    """For a generator over the pieces of a stream."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream:
            answer.pieces = play(answer.pieces)
        return answer

    return changed


def each_frame(play) -> Layer:
    """For a function of one frame's fields and bytes, to the bytes instead."""

    def changed(pieces):
        return (play(fields_of(frame), frame) for frame in frames(pieces))

    return streams(changed)


def each_event(play) -> Layer:
    """For a function of the fields of one event, to the bytes instead."""
    return each_frame(lambda fields, frame: play(fields) if fields else frame)
