"""The answers of mutants and variants to one request. The layer of each changes an answer that is always the same."""

from collections.abc import Iterable, Iterator
from functools import cache

from octomil_conformance import spec
from octomil_conformance.config import PATHS
from octomil_conformance.corpus.entry import (
    USAGE,
    Answer,
    Entry,
    batch,
    embed,
    entry,
    health,
    infer,
    request,
    stream,
    written,
)
from octomil_conformance.exchange import End
from octomil_conformance.server.layers import Layer, Request, Response, Server, around
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.subjects import Subject
from octomil_conformance.server.variants import all_variants

PLAIN = {
    "infer": written(infer(finish_reason="stop", usage=USAGE)),
    "stream": stream(),
    "batch": written(batch(infer(), infer("An oak."))),
    "embed": written(embed()),
    "health": written(health("ok", "ok", "ok", version="1.0.0")),
}
SLOW = {"STREAM-17"}
"""Requirements that a mutant breaks because it takes too long."""


@cache
def derived() -> tuple[Entry, ...]:
    """The plain answer of each endpoint, and every answer of a subject that differs from it."""
    plain = [
        entry(endpoint, "plain", (), "The plain answer.", body)
        for endpoint, body in PLAIN.items()
    ]
    return (*plain, *_played(all_variants()), *_played(all_mutants()))


def _played(subjects: dict[str, Subject]) -> Iterator[Entry]:
    level_0 = {name for name, each in spec.requirements().items() if each.level == 0}
    for subject in subjects.values():
        if subject.violates <= level_0 - SLOW:
            yield from _entries(subject)


def _entries(subject: Subject) -> Iterator[Entry]:
    name, breaks = subject.name.replace("_", "-"), sorted(subject.violates)
    for endpoint in PATHS:
        if endpoint in subject.claims:
            answer = _answer(endpoint, subject.layer)
            if answer != _answer(endpoint, lambda request, server: server(request)):
                yield entry(endpoint, name, breaks, subject.sentence, answer)


def _answer(endpoint: str, layer: Layer) -> Answer:
    asked = request(endpoint)
    response = around(_server(endpoint), layer)(
        Request(
            asked.method,
            asked.url,
            {"content-type": "application/json"},
            asked.body,
            upstream="10.0.0.7:11434",
            scenario="echo",
        )
    )
    body, is_cut = _read(response.pieces)
    headers = dict(response.headers)
    length = {name.lower(): headers[name] for name in headers}.get("content-length")
    end: End = "closed" if headers.get("connection") == "close" else "complete"
    if length is None and end == "complete":
        headers["transfer-encoding"] = "chunked"
    if is_cut or length not in (None, str(len(body))):
        end = "cut"
    return Answer(body, response.status, tuple(headers.items()), end)


def _server(endpoint: str) -> Server:
    def server(_: Request) -> Response:
        body = PLAIN[endpoint]
        if endpoint == "stream":
            headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
            return Response(200, headers, [body])
        length = str(len(body))
        headers = {"content-type": "application/json", "content-length": length}
        return Response(200, headers, [body])

    return server


def _read(pieces: Iterable[bytes]) -> tuple[bytes, bool]:
    """The body, and whether the transfer breaks off."""
    body = b""
    try:
        for piece in pieces:
            body += piece
    except ConnectionError:
        return body, True
    return body, False
