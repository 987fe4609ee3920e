"""Decorators that make a mutant or a variant of a function, one for each kind of change. The text below each says which function it takes.

`@on.answers("embed@0", "EMBED-06", shows="empty")` has the claims, the requirements that the mutant violates, and the scenario in which a
client sees its bug. The function's name and docstring become the name and the sentence of the mutant. A variant violates nothing.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.scenarios import ALONE, DECISIVE
from octomil_conformance.backend.witness import Provider
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
from octomil_conformance.server.subjects import register, requirements_in

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

GONE = object()
"""Stands in place of a value: the field or the header is removed."""


@dataclass(frozen=True)
class Maker:
    """Makes a subject of each function that it decorates, or of each row of a table."""

    add: Callable[[str, str, Function], object]
    """Takes the name, the sentence and the function."""
    noun: str = ""
    """The noun in the sentences of `sets`."""

    def __call__(self, play: F) -> F:
        self.add(play.__name__, inspect.getdoc(play) or "", play)
        return play

    def table(
        self, change: Callable[..., Function], sentence: str, **rows: tuple[Any, ...]
    ) -> None:
        """Makes subjects that differ in a value: `name=(words of the sentence, *arguments)`. `change(*arguments)` returns the function."""
        for name, (words, *arguments) in rows.items():
            self.add(name, sentence.format(words), change(*arguments))

    def sets(self, **rows: tuple[str, Any]) -> None:
        """Makes subjects that set one field: `name=(field, value)`."""
        for name, (field, value) in rows.items():
            self.add(name, self._sentence(field, value), _setting(field, value))

    def _sentence(self, field: str, value: Any) -> str:
        if value is GONE:
            return f"{self.noun[0].upper()}{self.noun[1:]} has no `{field}`."
        return f"The `{field}` of {self.noun} is {json.dumps(value)}."


def _setting(field: str, value: Any) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        if value is GONE:
            fields.pop(field, None)
        else:
            fields[field] = value

    return play


# What clients send and get


@dataclass(frozen=True)
class Kind:
    """A kind of change that a layer around the server makes."""

    made: Callable[[Any], Layer]
    """Makes a layer of the function."""
    noun: str = ""
    shows: str | None = "echo"

    def __call__(
        self, claims: str, violates: str = "", shows: str | None = ""
    ) -> Maker:
        """If `shows` is empty, the scenario is that of the kind."""
        scenario = self.shows if shows == "" else shows
        ids = requirements_in(violates)

        def add(name: str, sentence: str, play: Function) -> None:
            layer = self.made(play)
            register(name, sentence, claims, ids, scenario, layer=layer)

        return Maker(add, self.noun)


def _before(play: Callable[[Request], object]) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        play(request)
        return server(request)

    return changed


def _after(play: Callable[[Request, Response], object]) -> Layer:
    def changed(request: Request, server: Server) -> Response:
        response = server(request)
        play(request, response)
        return response

    return changed


def _on_body(play: Callable[[Json], object]) -> Layer:
    def changed(request: Request) -> None:
        fields = request.fields
        if fields:
            play(fields)
            request.send(fields)

    return _before(changed)


def _refusing(holds: Callable[[Json], object]) -> Layer:
    return _before(lambda asked: holds(asked.fields) and asked.send({}))


def _accepting(holds: Callable[[Request], bool]) -> Layer:
    def changed(request: Request) -> None:
        if holds(request):
            request.headers["authorization"] = f"Bearer {request.token}"

    return _before(changed)


def _on_scenario(play: Callable[[str], str]) -> Layer:
    def changed(request: Request) -> None:
        request.scenario = play(request.scenario)

    return _before(changed)


def _on_statuses(*statuses: int) -> Callable[[Callable[[Json], object]], Layer]:
    return lambda play: on_json(play, statuses)


def _on_events(play: Callable[[Json], object]) -> Layer:
    def changed(frame: bytes) -> bytes:
        fields = fields_of(frame)
        if fields is None:
            return frame
        instead = play(fields)
        return instead if isinstance(instead, bytes) else frame_of(fields)

    return on_streams(lambda pieces: map(changed, frames(pieces)))


layer = Kind(lambda play: play)
"""A layer: a function of (request, server)."""
requests = Kind(_before)
"""A function that changes a request."""
bodies = Kind(_on_body)
"""A function that changes the JSON fields of a request."""
refuses = Kind(_refusing)
"""A function of the JSON fields of a request: true if it is refused."""
accepts = Kind(_accepting)
"""A function of a request: true if it is accepted with any token."""
scenarios = Kind(_on_scenario, shows=None)
"""A function from the scenario of a request to another one."""
responses = Kind(lambda play: _after(lambda request, response: play(response)))
"""A function that changes a response, good or bad."""
replies = Kind(_after)
"""A function of (request, response) that changes the response."""
headers = Kind(
    lambda play: _after(lambda request, response: play(response.headers)), "a response"
)
"""A function that changes the headers of a response."""
every = Kind(on_json, "a response")
"""A function that changes the JSON fields of a response, good or bad; it may return others."""
answers = Kind(_on_statuses(*range(200, 300)), "an answer")
"""The same for a good response."""
failures = Kind(_on_statuses(*range(400, 600)), "a failure", "http-500")
"""The same for the envelope of a failure."""
gateway_failures = Kind(
    _on_statuses(502, 503, 504), "an upstream's failure", "http-500"
)
"""The same for the envelope of a failure of the upstream."""
streams = Kind(lambda play: on_streams(lambda pieces: play(frames(pieces))))
"""A generator over the frames of a stream, each with its blank line."""
events = Kind(_on_events, "an event")
"""A function from the fields of an event to the bytes to send instead; None for the changed fields."""
final_events = Kind(
    lambda play: _on_events(lambda fields: play(fields) if fields["done"] else None),
    "the final event",
)
"""The same for the final event."""
token_events = Kind(
    lambda play: _on_events(lambda fields: None if fields["done"] else play(fields)),
    "an event with a token",
)
"""The same for all other events."""
error_events = Kind(
    lambda play: _on_events(lambda fields: play(fields.get("error", {}))),
    "an error event",
    "cut",
)
"""A function that changes the `error` of an event."""


# What the server sends to its upstreams, and gets from them


def upstreams(claims: str, violates: str = "", shows: str | None = None) -> Maker:
    """A function from the upstreams in the settings to other ones. For bugs that no layer around a server can have."""
    ids = requirements_in(violates)

    def add(name: str, sentence: str, play: Function) -> None:
        register(name, sentence, claims, ids, shows, upstreams=play)

    return Maker(add)


LABELS: dict[Provider, str] = {"ollama": "Ollama", "openai": "the fallback"}


@dataclass(frozen=True)
class Traffic:
    """A kind of change to the traffic with an upstream. Each function makes two subjects: `name_ollama` and `name_openai`."""

    made: Callable[[Any], Fault]
    shows: str | None = "echo"
    alone: Mapping[Provider, str] | None = None
    """The scenarios in which both upstreams are asked and the answer of this one shows the bug. None stands for ALONE."""

    def __call__(
        self,
        claims: str,
        violates: str = "",
        shows: str | None = "",
        only: Provider | None = None,
    ) -> Maker:
        """With `only` there is a subject for that upstream alone. `STREAM-34[ollama]`: only the subject for Ollama violates it."""
        scenario = self.shows if shows == "" else shows
        ids = requirements_in(violates)

        def add(name: str, sentence: str, play: Function) -> None:
            fault = self.made(play)
            for provider in [only] if only else BOTH:
                mine = [each.removesuffix(f"[{provider}]") for each in ids]
                played = scenario and (self.alone or ALONE)[provider].format(scenario)
                register(
                    f"{name}_{provider}",
                    f"{sentence[:-1]}, in the traffic with {LABELS[provider]} only.",
                    claims,
                    [each for each in mine if "[" not in each],
                    played,
                    upstreams=_spoiling(provider, fault),
                    through=provider,
                )

        return Maker(add)


def _spoiling(provider: Provider, fault: Fault) -> Callable[[Upstreams], Upstreams]:
    return lambda given: replace(given, faults={**given.faults, provider: fault})


def _on_parameters(play: Callable[[Json], object]) -> Fault:
    def sends(payload: Json) -> None:
        if "messages" in payload:
            play(payload.get("options", payload))

    return Fault(sends=sends)


def _on_messages(play: Callable[[list[Json]], list[Json]]) -> Fault:
    def sends(payload: Json) -> None:
        if "messages" in payload:
            payload["messages"] = play(payload["messages"])

    return Fault(sends=sends)


def _on_texts(play: Callable[[str], str]) -> Fault:
    def sends(payload: Json) -> None:
        for message in payload.get("messages", ()):
            message["content"] = play(message["content"])
        if "input" in payload:
            payload["input"] = [play(text) or text for text in payload["input"]]

    return Fault(sends=sends)


def _in_base64(payload: Json) -> None:
    if "input" in payload:
        payload["encoding_format"] = "base64"


sends = Traffic(lambda play: Fault(sends=play), shows=None)
"""A function that changes the JSON of a request to the upstream."""
parameters = Traffic(_on_parameters, shows=None)
"""A function that changes the parameters of a chat: Ollama's `options`, or the fallback's whole request."""
messages = Traffic(_on_messages, shows=None)
"""A function from the messages of a chat to those that are sent."""
texts = Traffic(_on_texts, shows=None)
"""A function from the text of a message, or a text to embed, to the one that is sent."""
keys = Traffic(lambda play: Fault(key=play()), shows=None)
"""A function without arguments: the key that the server sends."""
statuses = Traffic(lambda play: Fault(good=play()), shows="created")
"""A function without arguments: the statuses of an answer."""
codings = Traffic(lambda play: Fault(coding=play()), shows="zipped")
"""A function without arguments: a content coding that the server accepts, but does not read."""
waits = Traffic(lambda play: Fault(timeout=play()), shows=None)
"""A function without arguments: the seconds that the server waits for the rest of a response."""
redirects = Traffic(lambda play: Fault(follows=play()), shows="http-307")
"""A function without arguments: true if redirects are followed."""
graces = Traffic(lambda play: Fault(grace=play()), shows=None)
"""A function without arguments: the part of the timeout for which the server waits for the counts after an answer."""
pieces = Traffic(lambda play: Fault(pieces=play))
"""A generator over the bytes of a response as they arrive."""
each_piece = Traffic(lambda play: Fault(pieces=lambda received: map(play, received)))
"""A function from a piece of a response to the one that the server reads."""
tokens = Traffic(lambda play: Fault(tokens=play))
"""A generator over the tokens of an answer. A whole answer is one token."""
each_token = Traffic(lambda play: Fault(tokens=lambda tokens: map(play, tokens)))
"""A function from a token to the one that the server uses."""
reasons = Traffic(lambda play: Fault(reason=play))
"""A function from the upstream's word for why an answer ended to the `finish_reason`."""
endings = Traffic(lambda play: Fault(ending=play))
"""A function that changes the `finish_reason` and `usage` of an answer."""
vectors = Traffic(lambda play: Fault(vectors=play))
"""A function from the vectors of an answer to other ones."""
base64 = Traffic(lambda play: Fault(sends=_in_base64, pieces=play))
"""A generator over the bytes of a response with vectors in base64, for which the server asks."""
delays = Traffic(lambda play: Fault(delay=play))
"""A function from the upstream's Retry-After to the one that the server sends."""
upstream_failures = Traffic(lambda play: Fault(failure=play), alone=DECISIVE)
"""A function from a failure, and the upstream's words in it, to the failure that the server uses."""
