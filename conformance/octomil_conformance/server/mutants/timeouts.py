"""Bugs in how long the server waits for one upstream, and in when it sends the tokens on. Each function is a mutant for each dialect."""

import time
from collections.abc import Iterator

from octomil_conformance.server import subjects as on
from octomil_conformance.server.failures import Failure

Tokens = Iterator[str]


@on.hears("stream@2", "STREAM-20", "STREAM-23", "STREAM-34[ollama]")
def tokens_wait_for_the_next(tokens: Tokens) -> Tokens:
    """A token waits for the next one."""
    held = ""
    for token in tokens:
        yield held
        held = token
    yield held


@on.hears("stream@2", "STREAM-26", shows=None)
def streams_have_one_timeout(tokens: Tokens) -> Tokens:
    """A stream as a whole has to end within the timeout."""
    began = before = time.monotonic()
    for token in tokens:
        now = time.monotonic()
        if now > began + 1.0 and now > before + 0.25:
            raise Failure("gateway_timeout", "The stream took too long.")
        before = now
        yield token


@on.hears("stream@2", "STREAM-26", shows=None)
def streams_have_five_seconds(tokens: Tokens) -> Tokens:
    """A stream breaks off after five seconds."""
    end = time.monotonic() + 5
    for token in tokens:
        if time.monotonic() > end:
            raise Failure("gateway_timeout", "The stream took too long.")
        yield token


@on.hears("stream@2", "STREAM-24", shows=None)
def the_model_goes_on(tokens: Tokens) -> Tokens:
    """The model goes on after the client has left."""
    try:
        yield from iter(tokens.__next__, None)
    finally:
        for _ in tokens:
            pass


@on.waits("infer@2", "FAULT-11", "FAULT-12", shows=None)
def answers_may_drip() -> float:
    """Each piece of an answer has the whole timeout."""
    return 1.0


@on.waits("infer@2", "FAULT-11", "FAULT-12", "FALLBACK-04[ollama]", shows=None)  # fmt: skip
def a_beginning_has_no_timeout() -> float:
    """After the beginning of a response there is no timeout."""
    return 20.0


@on.waits("stream@2", "FAULT-12", "STREAM-35", shows=None)
def signs_of_life_are_tokens() -> float:
    """After comments, blank lines and empty tokens, too, there is the whole timeout."""
    return 1.0


@on.pieces("infer@2", "FALLBACK-01[ollama]", "FALLBACK-04[openai]", shows=None)
def an_upstream_has_half_the_timeout(received: Iterator[bytes]) -> Iterator[bytes]:
    """A response has to begin within half of the timeout."""
    end = time.monotonic() + 0.5
    for piece in received:
        if time.monotonic() > end:
            raise Failure("gateway_timeout", "The answer took too long.")
        end = float("inf")
        yield piece


@on.hears("stream@2", "STREAM-26", shows=None)
def reasoning_has_one_timeout(tokens: Tokens) -> Tokens:
    """Reasoning as a whole has to end within the timeout."""
    end = time.monotonic() + 1.0
    for token in tokens:
        if not token and time.monotonic() > end:
            raise Failure("gateway_timeout", "The reasoning took too long.")
        yield token


@on.waits("stream@2", "STREAM-35", "FAULT-12[openai]", shows=None)
def silence_has_no_timeout() -> float:
    """After the first token there is no timeout."""
    return 20.0
