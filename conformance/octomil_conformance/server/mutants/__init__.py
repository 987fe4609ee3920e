"""Servers that break the spec in one way each. The docstring of a mutant is its bug, `violates` what must be found, exactly.

A mutant is a layer around a conformant server of at most ten lines, or a fault of ours. Its claim, such as `stream@2`, is
what it is judged by, in whole.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from octomil_conformance import spec
from octomil_conformance.config import Config
from octomil_conformance.server.frames import fields_of, frame_of, frames
from octomil_conformance.server.layers import (
    Answer,
    Ask,
    Json,
    Layer,
    Request,
    on_json,
    on_streams,
)

Play = TypeVar("Play", bound=Callable[..., object])
Fields = Callable[[Json], object]
Whole = Callable[[Answer], object]
Frames = Callable[[Iterable[bytes]], Iterator[bytes]]

ECHO, FAILING = "echo", "http-500"


@dataclass(frozen=True)
class Mutant:
    name: str
    bug: str
    claims: dict[str, int]
    violates: frozenset[str]
    shows: str | None
    """The scenario in whose answers a client meets the bug. None: only who stands behind the server meets it, or who calls in an outage."""
    layer: Layer | None = None
    """None: `name` is a fault of ours."""
    play: Callable[..., object] | None = None
    """What the layer was made of."""

    @property
    def lines(self) -> int:
        """Of the source, but for the docstring."""
        return len(inspect.getsource(self.play).splitlines()) - 1 if self.play else 0


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


def fault(
    name: str, bug: str, claim: str, *violates: str, shows: str | None = ECHO
) -> None:
    _register(Mutant(name, bug, _claims(claim), frozenset(violates), shows))


def layer(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Layer], Layer]:
    """Decorates a function of (request, server)."""
    return _decorator(claim, violates, shows, lambda play: play)


def requests(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Fields], Fields]:
    """Decorates a function that changes the JSON fields of a request on its way in."""

    def made(play: Fields) -> Layer:
        def changed(request: Request, server: Ask) -> Answer:
            fields = request.fields
            if fields and play(fields) is not False:
                request.send(fields)
            return server(request)

        return changed

    return _decorator(claim, violates, shows, made)


def answers(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Fields], Fields]:
    """Decorates a function that changes the JSON fields of a good answer; it may return others."""
    return _decorator(
        claim, violates, shows, lambda play: on_json(play, range(200, 300))
    )


def failures(
    claim: str, *violates: str, shows: str | None = FAILING
) -> Callable[[Fields], Fields]:
    """Decorates a function that changes the envelope of a failure; it may return another one."""
    return _decorator(
        claim, violates, shows, lambda play: on_json(play, range(400, 600))
    )


def everywhere(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Whole], Whole]:
    """Decorates a function that changes an answer, whatever it is."""

    def made(play: Whole) -> Layer:
        def changed(request: Request, server: Ask) -> Answer:
            answer = server(request)
            play(answer)
            return answer

        return changed

    return _decorator(claim, violates, shows, made)


def events(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Fields], Fields]:
    """Decorates a function of an event's fields, to the fields or the bytes to send instead."""

    def made(play: Fields) -> Layer:
        return on_streams(
            lambda pieces: (_event(play, each) for each in frames(pieces))
        )

    return _decorator(claim, violates, shows, made)


def streams(
    claim: str, *violates: str, shows: str | None = ECHO
) -> Callable[[Frames], Frames]:
    """Decorates a generator over the frames of a stream, each its bytes with the blank line."""

    def made(play: Frames) -> Layer:
        return on_streams(lambda pieces: play(frames(pieces)))

    return _decorator(claim, violates, shows, made)


def _event(play: Fields, frame: bytes) -> bytes:
    fields = fields_of(frame)
    if fields is None:
        return frame
    changed = play(fields)
    return changed if isinstance(changed, bytes) else frame_of(fields)


def _decorator(
    claim: str,
    violates: tuple[str, ...],
    shows: str | None,
    made: Callable[[Play], Layer],
) -> Callable[[Play], Play]:
    def decorate(play: Play) -> Play:
        bug = inspect.getdoc(play) or ""
        _register(Mutant(play.__name__, bug, _claims(claim), frozenset(violates), shows, made(play), play))  # fmt: skip
        return play

    return decorate


def _register(mutant: Mutant) -> None:
    if mutant.name in _registry:
        raise ValueError(f"two mutants are called {mutant.name}")
    _registry[mutant.name] = mutant


def _claims(claim: str) -> dict[str, int]:
    pairs = [each.split("@") for each in claim.split()]
    return {name: int(level) for name, level in pairs}
