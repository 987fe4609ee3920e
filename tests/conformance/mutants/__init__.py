"""Servers that break the spec in one way each. The docstring of a mutant is its bug, `violates` what must be found, exactly.

A mutant is a layer around the reference of at most ten lines, or a fault of the independent server. Its claim, such as
`stream@2`, is what it is judged by, in whole: `tests/conformance/kill_matrix.py` shows the matrix.
"""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from layers import Answer, Ask, Layer, Request
from octomil_conformance import spec
from octomil_conformance.config import Config


@dataclass(frozen=True)
class Mutant:
    name: str
    bug: str
    claims: dict[str, int]
    violates: frozenset[str]
    layer: Layer | None = None
    """None: `name` is a fault of the independent server."""
    lines: int = 0


_registry: dict[str, Mutant] = {}


@cache
def all_mutants() -> dict[str, Mutant]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return _registry


def all_but(claim: str, *exempt: str) -> list[str]:
    """What a claim brings, without the exempt: for bugs after which hardly anything can be shown."""
    config = Config("", _claims(claim))
    testable = [each for each in spec.requirements().values() if not each.untestable]
    return [each.id for each in testable if config.profiles_for(each) and each.id not in exempt and "auth" not in each.profiles]  # fmt: skip


def fault(name: str, bug: str, claim: str, *violates: str) -> None:
    _register(Mutant(name, bug, _claims(claim), frozenset(violates)))


def layer(claim: str, *violates: str):
    """Decorates a function of (request, server)."""
    return _decorator(claim, violates, lambda play: play)


def requests(claim: str, *violates: str):
    """Decorates a function that changes the JSON fields of a request on its way in."""

    def made(play: Callable[[dict], object]) -> Layer:
        def changed(request: Request, server: Ask) -> Answer:
            fields = request.fields
            if fields and play(fields) is not False:
                request.send(fields)
            return server(request)

        return changed

    return _decorator(claim, violates, made)


def answers(claim: str, *violates: str):
    """Decorates a function that changes the JSON fields of a good answer; it may return others."""
    return _decorator(claim, violates, lambda play: _json(play, range(200, 300)))


def failures(claim: str, *violates: str):
    """Decorates a function that changes the envelope of a failure; it may return another one."""
    return _decorator(claim, violates, lambda play: _json(play, range(400, 600)))


def everywhere(claim: str, *violates: str):
    """Decorates a function that changes an answer, whatever it is."""

    def made(play: Callable[[Answer], object]) -> Layer:
        def changed(request: Request, server: Ask) -> Answer:
            answer = server(request)
            play(answer)
            return answer

        return changed

    return _decorator(claim, violates, made)


def events(claim: str, *violates: str):
    """Decorates a function of an event's fields, to the fields or the bytes to send instead."""

    def made(play: Callable[[dict], object]) -> Layer:
        return _streams(lambda pieces: (_event(play, each) for each in frames(pieces)))

    return _decorator(claim, violates, made)


def streams(claim: str, *violates: str):
    """Decorates a generator over the frames of a stream, each its bytes with the blank line."""
    return _decorator(
        claim, violates, lambda play: _streams(lambda pieces: play(frames(pieces)))
    )


def frames(pieces):
    """Whole frames as soon as they are there, however they were cut into pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        yield from (frame + b"\n\n" for frame in whole)


def fields_of(frame: bytes) -> dict | None:
    """Of a frame with data; None for a comment."""
    return json.loads(frame[6:]) if frame.startswith(b"data: ") else None


def frame_of(fields: dict) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def _event(play, frame: bytes) -> bytes:
    fields = fields_of(frame)
    if fields is None:
        return frame
    changed = play(fields)
    if isinstance(changed, bytes):
        return changed
    return frame_of(fields if changed is None else changed)


def _streams(change) -> Layer:
    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream:
            answer.pieces = change(answer.pieces)
        return answer

    return changed


def _json(play, statuses) -> Layer:
    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.status not in statuses or answer.is_stream or not answer.body:
            return answer
        fields = answer.fields
        instead = play(fields)
        return answer.send(fields if instead is None else instead)

    return changed


def _decorator(claim: str, violates: tuple[str, ...], made):
    def decorate(play):
        lines = len(inspect.getsource(play).splitlines()) - 1
        bug = inspect.getdoc(play) or ""
        _register(Mutant(play.__name__, bug, _claims(claim), frozenset(violates), made(play), lines))  # fmt: skip
        return play

    return decorate


def _register(mutant: Mutant) -> None:
    if mutant.name in _registry:
        raise ValueError(f"two mutants are called {mutant.name}")
    _registry[mutant.name] = mutant


def _claims(claim: str) -> dict[str, int]:
    pairs = [each.split("@") for each in claim.split()]
    return {name: int(level) for name, level in pairs}
