"""Servers that break the spec in one way each. A mutant's docstring is its bug, `violates` exactly what a run must find.

A mutant is a layer around a conformant server, or other upstreams for it. Its function has at most ten lines. Its claim, such
as `stream@2`, says which checks judge it: all that the claim brings.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

from octomil_conformance import spec
from octomil_conformance.config import Config
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.layers import (
    Json,
    Layer,
    Request,
    Response,
    Server,
    fields_of,
    frame_of,
    frames,
    on_json,
    on_streams,
)

Play = TypeVar("Play", bound=Callable[..., object])
Decorator = Callable[..., Callable[[Play], Play]]
Fields = Callable[[Json], object]
Rewire = Callable[[Upstreams], Upstreams]


@dataclass(frozen=True)
class Mutant:
    name: str
    bug: str
    claims: dict[str, int]
    violates: frozenset[str]
    shows: str | None
    """The scenario in whose answers a client meets the bug. None: only the backend meets it, or a client during an outage."""
    play: Callable[..., object]
    """The function that the layer, or the upstreams, are made of."""
    layer: Layer = lambda request, server: server(request)
    upstreams: Rewire = lambda upstreams: upstreams

    @property
    def lines(self) -> int:
        """Of the function, without its docstring."""
        return len(inspect.getsource(self.play).splitlines()) - 1


_registry: dict[str, Mutant] = {}


@cache
def all_mutants() -> dict[str, Mutant]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return _registry


def all_but(claim: str, *exempt: str) -> list[str]:
    """What a claim brings, without the exempt ids: for bugs that break nearly everything."""
    config = Config("", _claims(claim))
    testable = [each for each in spec.requirements().values() if not each.untestable]
    return [each.id for each in testable if config.profiles_for(each) and each.id not in exempt and "auth" not in each.profiles]  # fmt: skip


def _decorator(
    made: Callable[[Any], Layer], shown: str, claim: str, *violates: str, **more: Any
) -> Callable[[Play], Play]:
    shows = more.get("shows", shown)

    def decorate(play: Play) -> Play:
        _register(play, claim, violates, shows, layer=made(play))
        return play

    return decorate


def upstreams(
    claim: str, *violates: str, shows: str | None = "echo"
) -> Callable[[Rewire], Rewire]:
    """Decorates a function from the upstreams that a server is told to those that it gets. For what no layer around it can change."""

    def decorate(play: Rewire) -> Rewire:
        _register(play, claim, violates, shows, upstreams=play)
        return play

    return decorate


def _register(
    play: Callable[..., object],
    claim: str,
    violates: Iterable[str],
    shows: str | None,
    **more: Any,
) -> None:
    name, bug = play.__name__, inspect.getdoc(play) or ""
    if name in _registry:
        raise ValueError(f"two mutants are called {name}")
    _registry[name] = Mutant(name, bug, _claims(claim), frozenset(violates), shows, play, **more)  # fmt: skip


def _claims(claim: str) -> dict[str, int]:
    pairs = [each.split("@") for each in claim.split()]
    return {name: int(level) for name, level in pairs}


def _on_requests(play: Fields) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        fields = request.fields
        if fields:
            play(fields)
            request.send(fields)
        return server(request)

    return changed


def _on_responses(play: Callable[[Response], object]) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        response = server(request)
        play(response)
        return response

    return changed


def _on_events(play: Fields) -> Layer:
    def changed(frame: bytes) -> bytes:
        fields = fields_of(frame)
        if fields is None:
            return frame
        instead = play(fields)
        return instead if isinstance(instead, bytes) else frame_of(fields)

    return on_streams(lambda pieces: map(changed, frames(pieces)))


def _on_frames(play: Callable[[Iterable[bytes]], Iterator[bytes]]) -> Layer:
    return on_streams(lambda pieces: play(frames(pieces)))


layer: Decorator[Any] = partial(_decorator, lambda play: play, "echo")
"""Decorates a layer: a function of (request, server)."""

requests: Decorator[Any] = partial(_decorator, _on_requests, "echo")
"""Decorates a function that changes the JSON fields of a request."""

responses: Decorator[Any] = partial(_decorator, _on_responses, "echo")
"""Decorates a function that changes a response, good or bad."""

answers: Decorator[Any] = partial(
    _decorator, partial(on_json, statuses=range(200, 300)), "echo"
)
"""Decorates a function that changes the JSON fields of a good response; it may return others."""

failures: Decorator[Any] = partial(
    _decorator, partial(on_json, statuses=range(400, 600)), "http-500"
)
"""Decorates a function that changes the envelope of a failure."""

events: Decorator[Any] = partial(_decorator, _on_events, "echo")
"""Decorates a function from the fields of an event to the bytes to send instead; None for the changed fields."""

streams: Decorator[Any] = partial(_decorator, _on_frames, "echo")
"""Decorates a generator over the frames of a stream, each with its blank line."""
