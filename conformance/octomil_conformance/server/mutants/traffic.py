"""What servers lose between them and one of their upstreams, while all is well with the other. Each function is a mutant for each dialect."""

from collections.abc import Iterator

from octomil_conformance.server.layers import Json
from octomil_conformance.server.subjects import hears, sends

Tokens = Iterator[str]


@hears("infer@2", "INFER-08")
def output_is_empty(tokens: Tokens) -> Tokens:
    """The text of the answer is lost."""
    for _ in tokens:
        yield ""


@hears("stream@2", "STREAM-20", "STREAM-23", "STREAM-34[ollama]")
def tokens_wait_for_the_next(tokens: Tokens) -> Tokens:
    """A token waits for the next one."""
    held = ""
    for token in tokens:
        yield held
        held = token
    yield held


@sends("infer@2", "REQ-15", "REQ-16", "INFER-10", shows=None)
def parameters_are_not_sent(payload: Json) -> None:
    """Parameters are not sent."""
    payload.pop("options", None)
    for name in [*payload]:
        if name not in ("model", "messages", "stream", "stream_options", "input"):
            del payload[name]
