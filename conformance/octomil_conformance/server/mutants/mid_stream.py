"""Streams that hold tokens back, and streams that go on, or say the wrong thing, after a failure."""

from collections.abc import Callable, Iterable, Iterator

from octomil_conformance.server import on
from octomil_conformance.server.layers import (
    Layer,
    Request,
    Response,
    Server,
    fields_of,
    frames,
    parameters_in,
)
from octomil_conformance.server.mutants.stream_in_time import instead_of_the_failure

Tokens = Iterator[str]


def holding(*signs: str) -> Callable[[Tokens], Tokens]:
    """Holds all tokens back, as one, if the first one begins so."""

    def play(tokens: Tokens) -> Tokens:
        first = next(tokens, "")
        if first.startswith(signs):
            first = "".join([first, *tokens])
        yield first
        yield from tokens

    return play


on.tokens("stream@2", "STREAM-20", shows=None).table(
    holding,
    "Text that begins like {} is held back until it is complete.",
    calls_are_awaited=("the call of a tool", "{"),
    lists_of_calls_are_awaited=("several calls of tools", "["),
    thoughts_are_awaited=("reasoning", "<"),
    fences_are_awaited=("a block of code", "```"),
    text_is_awaited=("a blank line", "\n"),
)


def one_late(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for frame in frames(pieces):
        yield held
        held = frame
    yield held


@on.replies("stream@2", "STREAM-20", shows=None)
def stops_are_awaited(request: Request, response: Response) -> None:
    """If the request has a `stop`, an event is held back until the next one comes."""
    if response.is_stream and parameters_in(request.fields).get("stop"):
        response.pieces = one_late(response.pieces)


def going_on(scenario: str) -> Layer:
    def play(request: Request, server: Server) -> Response:
        response = server(request)
        if request.scenario == f"ollama-{scenario}-openai-ok":
            request.scenario = "ollama-500-openai-ok"
            response.pieces = instead_of_the_failure(
                response.pieces, lambda: server(request).pieces
            )
        return response

    return play


TAKEN_OVER = "After {} in mid-stream the next backend answers in the same stream."
on.layer("stream@2", "STREAM-34", shows="ollama-cut-openai-ok").table(
    going_on, TAKEN_OVER, fallback_after_first_token=("a failure", "cut")
)
on.layer("stream@2", "STREAM-34", shows=None).table(
    going_on,
    TAKEN_OVER,
    fallback_after_an_error=("an error", "error-frame"),
    fallback_after_nonsense=("nonsense", "garbage-later"),
    fallback_after_silence=("silence", "stall"),
)


@on.layer("stream@2", "STREAM-34", shows=None)
def asks_the_other_in_vain(request: Request, server: Server) -> Response:
    """After a failure in mid-stream the next backend is asked, but its answer is thrown away."""
    response = server(request)
    if request.scenario == "ollama-cut-openai-ok":
        request.scenario = "ollama-500-openai-ok"
        other = server(request)
        b"".join(other.pieces)
        other.close()
    return response


def silent_after(word: str) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """The stream without an error event that has this word in it."""
    return lambda pieces: (
        frame
        for frame in pieces
        if word not in str((fields_of(frame) or {}).get("error"))
    )


on.streams("stream@2", "STREAM-33", shows=None).table(
    silent_after,
    "The transfer breaks off without an error event if the upstream {}.",
    silence_has_no_error_event=("falls silent", "request_timeout"),
    errors_have_no_error_event=("reports an error", "backend failed"),
)


@on.replies("stream@2", "STREAM-36", shows=None)
def silence_shows_an_address(request: Request, response: Response) -> None:
    """The error event after silence shows the upstream's address."""
    address = f"request_timeout of {request.upstream}".encode()
    if response.is_stream:
        response.pieces = (
            piece.replace(b"request_timeout", address) for piece in response.pieces
        )


on.final_events("stream@2", "FALLBACK-08", shows=None).sets(
    the_end_names_the_first_upstream=("provider", "ollama")
)


@on.replies("stream@2", "STREAM-27", shows=None)
def a_session_is_the_clients(request: Request, response: Response) -> None:
    """The `session_id` is the one that the client sends, in its request or in X-Session-Id."""
    given = request.fields.get("session_id") or request.headers.get("x-session-id")
    session = f'"session_id": "{given}", "other": '.encode()
    if response.is_stream and given:
        response.pieces = (
            piece.replace(b'"session_id": ', session) for piece in response.pieces
        )
