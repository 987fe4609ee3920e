"""Servers that a layer makes of a conformant one: mutants, which break the spec in one way each, and variants, which do not.

The name of a subject is that of its function, whose docstring says what the subject does. `claims`, such as `stream@2`, say which checks
judge it: all that the claims bring. `violates` is exactly what they must find.
"""

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from octomil_conformance import spec
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.scenarios import ALONE, DECISIVE
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import Config, parse_claims
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.faults import Fault
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

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

GONE = object()
"""In place of a value: the field or the header is removed."""


@dataclass(frozen=True)
class Subject:
    name: str
    sentence: str
    """The bug of a mutant, or the freedom that a variant uses."""
    claims: dict[str, int]
    violates: frozenset[str]
    """Empty for a variant."""
    shows: str | None
    """The scenario in which a client meets it. None: only the backend meets it, or a client during an outage."""
    layer: Layer = lambda request, server: server(request)
    upstreams: Callable[[Upstreams], Upstreams] = lambda upstreams: upstreams
    """Takes the upstreams in the settings, and returns those that the server asks."""
    through: Provider | None = None
    """The upstream whose answers show the bug, if only one shows it. Checks through the other one pass."""


_registry: dict[str, Subject] = {}


def subjects_in(package: Iterable[str], name: str) -> dict[str, Subject]:
    """The subjects of the package with this path and name, by their names."""
    for module in pkgutil.iter_modules(package, f"{name}."):
        importlib.import_module(module.name)
    return _registry


def all_but(claims: str, *exempt: str) -> list[str]:
    """The requirements of the claims without the exempt ones, for bugs that break nearly everything."""
    config = Config("", parse_claims(claims.split()))
    testable = [each for each in spec.requirements().values() if not each.untestable]
    return [each.id for each in testable if config.profiles_for(each) and each.id not in exempt and "auth" not in each.profiles]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of change. It decorates functions that make such a change, and makes subjects that change one field."""

    made: Callable[[Any], Layer]
    """Makes a layer of the function."""
    noun: str = ""
    """The noun in the sentences of subjects that change a field."""
    shows: str | None = "echo"

    def __call__(
        self, claims: str, *violates: str, shows: str | None = ""
    ) -> Decorator:
        """If `shows` is empty, the subject has the scenario of the kind."""
        shows = self.shows if shows == "" else shows

        def decorate(play: Function) -> Function:
            words, layer = _sentence(play), self.made(play)
            register(play.__name__, words, claims, violates, shows, layer=layer)
            return play

        return decorate

    def sets(
        self,
        claims: str,
        *violates: str,
        shows: str | None = "",
        **changes: tuple[str, Any] | tuple[str, Any, str],
    ) -> None:
        """Subjects that set one field: `name=(field, value)`, and a sentence if the usual one says too little."""
        for name, (field, value, *sentence) in changes.items():
            play = _setting(field, value)
            play.__name__ = name
            play.__doc__ = sentence[0] if sentence else self._words(field, value)
            self(claims, *violates, shows=shows)(play)

    def _words(self, field: str, value: Any) -> str:
        if value is GONE:
            return f"{self.noun[0].upper()}{self.noun[1:]} has no `{field}`."
        return f"The `{field}` of {self.noun} is {json.dumps(value)}."


def table(
    decorate: Decorator,
    change: Callable[..., Function],
    sentence: str = "{}",
    **rows: tuple[Any, ...],
) -> None:
    """Makes subjects with one kind of bug, each given as `name=(words of the sentence, *arguments)`. `change(*arguments)` returns its function."""
    for name, (words, *arguments) in rows.items():
        play = change(*arguments)
        play.__name__, play.__doc__ = name, sentence.format(words)
        decorate(play)


def register(
    name: str,
    sentence: str,
    claims: str,
    violates: Iterable[str],
    shows: str | None,
    **how: Any,
) -> None:
    """`how`: the last fields of Subject."""
    if name in _registry:
        raise ValueError(f"two subjects are called {name}")
    levels = parse_claims(claims.split())
    _registry[name] = Subject(name, sentence, levels, frozenset(violates), shows, **how)


def _sentence(play: Function) -> str:
    return inspect.getdoc(play) or ""


def upstreams(claims: str, *violates: str, shows: str | None) -> Decorator:
    """Decorates a function from upstreams to other upstreams. For bugs that no layer around a server can have."""

    def decorate(play: Function) -> Function:
        words = _sentence(play)
        register(play.__name__, words, claims, violates, shows, upstreams=play)
        return play

    return decorate


@dataclass(frozen=True)
class Traffic:
    """A kind of change to the traffic with an upstream. It makes one subject per dialect of each function that it decorates."""

    made: Callable[[Any], Fault]
    alone: Mapping[Provider, str] | None = None
    """How this upstream plays the scenario that shows the bug, and what the other one does. None stands for ALONE."""

    def __call__(
        self,
        claims: str,
        *violates: str,
        shows: str | None = "echo",
        only: Provider | None = None,
    ) -> Decorator:
        """With `only` there is a subject for that dialect alone. `STREAM-34[ollama]`: only the subject for Ollama violates it."""

        def decorate(play: Function) -> Function:
            for provider in [only] if only else BOTH:
                played = shows and (self.alone or ALONE)[provider].format(shows)
                self._add(play, provider, claims, violates, played)
            return play

        return decorate

    def _add(
        self,
        play: Function,
        provider: Provider,
        claims: str,
        violates: Iterable[str],
        shows: str | None,
    ) -> None:
        fault = self.made(play)
        words = f"{_sentence(play).removesuffix('.')}, in the traffic with {LABELS[provider]} only."
        mine = [each.removesuffix(f"[{provider}]") for each in violates]

        def spoiled(given: Upstreams) -> Upstreams:
            return replace(given, faults={**given.faults, provider: fault})

        register(
            f"{play.__name__}_{provider}",
            words,
            claims,
            [each for each in mine if "[" not in each],
            shows,
            upstreams=spoiled,
            through=provider,
        )


LABELS: dict[Provider, str] = {"ollama": "Ollama", "openai": "the fallback"}


def _in_base64(payload: Json) -> None:
    if "input" in payload:
        payload["encoding_format"] = "base64"


sends = Traffic(lambda play: Fault(sends=play))
"""A function that changes the JSON of a request to the upstream."""
hears = Traffic(lambda play: Fault(tokens=play))
"""A generator over the tokens of an answer. A whole answer is one token."""
pieces = Traffic(lambda play: Fault(pieces=play))
"""A generator over the bytes of a response as they arrive."""
token = Traffic(lambda play: Fault(tokens=lambda tokens: map(play, tokens)))
"""A function from a token to the one that the server uses."""
piece = Traffic(lambda play: Fault(pieces=lambda received: map(play, received)))
"""A function from a piece of a response to the one that the server reads."""
keys = Traffic(lambda play: Fault(key=play()))
"""A function without arguments: the key that the server sends."""
waits = Traffic(lambda play: Fault(patience=play()))
"""A function without arguments: the seconds that the server waits for the rest of a response."""
reasons = Traffic(lambda play: Fault(reason=play))
"""A function from the upstream's word for why an answer ended to the `finish_reason`."""
ends = Traffic(lambda play: Fault(ending=play))
"""A function that changes the `finish_reason` and `usage` of an answer."""
encodes = Traffic(lambda play: Fault(sends=_in_base64, pieces=play))
"""A generator over the bytes of a response with vectors in base64, for which the server asks."""
embeds = Traffic(lambda play: Fault(vectors=play))
"""A function from the vectors of an answer to other ones."""
delays = Traffic(lambda play: Fault(delay=play))
"""A function from the upstream's Retry-After to the one that the server sends."""
fails = Traffic(lambda play: Fault(failure=play), DECISIVE)
"""A function from a failure, and the upstream's words in it, to the failure that the server uses."""


def statuses(claims: str, *violates: str, **changes: int) -> None:
    """Subjects whose good answers have another status: `name=status`."""
    for name, status in changes.items():
        words = f"A good answer has the status {status}."
        layer = _after(partial(_set_status, status))
        register(name, words, claims, violates, "echo", layer=layer)


def _set_status(status: int, response: Response) -> None:
    if response.status == 200:
        response.status = status


def _setting(field: str, value: Any) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        if value is GONE:
            fields.pop(field, None)
        else:
            fields[field] = value

    return play


def _before(play: Callable[[Request], object]) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        play(request)
        return server(request)

    return changed


def _in_view_of_the_request(play: Callable[[Request, Response], object]) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        response = server(request)
        play(request, response)
        return response

    return changed


def _after(play: Callable[[Response], object]) -> Layer:
    return _in_view_of_the_request(lambda request, response: play(response))


def _on_body(play: Callable[[Json], object]) -> Layer:
    def changed(request: Request) -> None:
        fields = request.fields
        if fields:
            play(fields)
            request.send(fields)

    return _before(changed)


def _on_events(play: Callable[[Json], object]) -> Layer:
    def changed(frame: bytes) -> bytes:
        fields = fields_of(frame)
        if fields is None:
            return frame
        instead = play(fields)
        return instead if isinstance(instead, bytes) else frame_of(fields)

    return on_streams(lambda pieces: map(changed, frames(pieces)))


def _on_statuses(*statuses: int) -> Callable[[Callable[[Json], object]], Layer]:
    return lambda play: on_json(play, statuses)


def _accepting(holds: Callable[[Request], bool]) -> Layer:
    def changed(request: Request) -> None:
        if holds(request):
            request.headers["authorization"] = f"Bearer {request.token}"

    return _before(changed)


layer = Kind(lambda play: play)
"""A layer: a function of (request, server)."""
requests = Kind(_before)
"""A function that changes a request."""
bodies = Kind(_on_body)
"""A function that changes the JSON fields of a request."""
refuses = Kind(
    lambda holds: _before(lambda asked: holds(asked.fields) and asked.send({}))
)
"""A function of the JSON fields of a request: True if it is refused."""
accepts = Kind(_accepting)
"""A function of a request: True if any token is accepted."""
scenarios = Kind(
    lambda play: _before(
        lambda asked: setattr(asked, "scenario", play(asked.scenario))
    ),
    shows=None,
)
"""A function from the scenario of a request to another one."""
responses = Kind(_after)
"""A function that changes a response, good or bad."""
replies = Kind(_in_view_of_the_request)
"""A function of (request, response) that changes the response."""
headers = Kind(
    lambda play: _after(lambda response: play(response.headers)), "a response"
)
"""A function that changes the headers of a response."""
answers = Kind(_on_statuses(*range(200, 300)), "an answer")
"""A function that changes the JSON fields of a good response; it may return others."""
every = Kind(on_json, "a response")
"""A function that changes the JSON fields of a response, good or bad; it may return others."""
failures = Kind(_on_statuses(*range(400, 600)), "a failure", "http-500")
"""A function that changes the envelope of a failure."""
gateway_failures = Kind(
    _on_statuses(502, 503, 504), "an upstream's failure", "http-500"
)
"""A function that changes the envelope of a failure of the upstream."""
events = Kind(_on_events, "an event")
"""A function from the fields of an event to the bytes to send instead; None for the changed fields."""
final_events = Kind(
    lambda play: _on_events(lambda fields: play(fields) if fields["done"] else None),
    "the final event",
)
token_events = Kind(
    lambda play: _on_events(lambda fields: None if fields["done"] else play(fields)),
    "an event with a token",
)
streams = Kind(lambda play: on_streams(lambda pieces: play(frames(pieces))))
"""A generator over the frames of a stream, each with its blank line."""
