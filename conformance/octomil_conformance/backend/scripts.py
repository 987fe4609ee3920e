"""Ready-made scripts for `Upstream.on`: raw bytes, streams in chunks, and answers in the dialect of the request."""

import threading

from octomil_conformance.backend import ollama, openai
from octomil_conformance.backend.ask import Ask, Refused
from octomil_conformance.backend.dialects import Dialect, dialect_of, reader_of
from octomil_conformance.backend.response import Received, Response
from octomil_conformance.backend.upstream import MAX_WAIT, Script
from octomil_conformance.backend.words import embed

NDJSON = ollama.OllamaDialect.stream_type
SSE = openai.OpenAIDialect.stream_type

_ASK = Ask("smollm2", "", None, True, None, prompt_tokens=11)

OLLAMA = ollama.OllamaDialect(_ASK)
OPENAI = openai.OpenAIDialect(_ASK)
"""Both write the frames of a stream: `OLLAMA.token("Good") + OLLAMA.ending("stop", 1)`."""


def raw(
    *segments: bytes, gate: threading.Event | None = None, end: Script = Response.close
) -> Script:
    """These bytes instead of a response, one write for each segment. `gate` holds back all but the first."""

    def script(response: Response) -> None:
        for number, segment in enumerate(segments):
            if gate and number == 1:
                response.wait(gate)
            response.send(segment)
        end(response)

    return script


def stream(
    content_type: str,
    *frames: bytes,
    gate: threading.Event | None = None,
    end: Script = Response.end_chunks,
) -> Script:
    """A body in chunks, one for each frame. `gate` holds back all but the first.

    `end=Response.close` and `end=Response.reset` cut the stream off.
    """

    def script(response: Response) -> None:
        response.start_chunked(content_type)
        for number, frame in enumerate(frames):
            if gate and number == 1:
                response.wait(gate)
            response.chunk(frame)
        end(response)

    return script


def whole(body: bytes, status: int = 200, **headers: str) -> Script:
    """A response of known length."""
    return lambda response: response.answer(status, body, **headers)


def json(value: object, status: int = 200, **headers: str) -> Script:
    return lambda response: response.json(status, value, **headers)


def stall(response: Response) -> None:
    """Sends nothing until the client disconnects."""
    response.wait_for_hangup(MAX_WAIT)


def says(
    *tokens: str, gate: threading.Event | None = None, reason: str = "stop"
) -> Script:
    """A chat of these tokens, streamed or whole as the request asks. `gate` holds back all but the first token of a stream."""

    def script(response: Response) -> None:
        ask, dialect = asked(response.request)
        if not ask.stream:
            answer = dialect.whole("".join(tokens), "", reason, len(tokens))
            return response.json(200, answer)
        frames = [*map(dialect.token, tokens), dialect.ending(reason, len(tokens))]
        frames[0] = dialect.opening() + frames[0]
        return stream(dialect.stream_type, *frames, gate=gate)(response)

    return script


def embeds(response: Response) -> None:
    """A vector for each input: see `words.embed`."""
    ask, dialect = asked(response.request)
    response.json(200, dialect.vectors([embed(text) for text in ask.texts or ()]))


def refuses(
    status: int, message: str, kind: str = "server_error", **headers: str
) -> Script:
    """An error in the dialect of the request."""

    def script(response: Response) -> None:
        _, dialect = asked(response.request)
        response.json(status, dialect.error(status, message, kind), **headers)

    return script


def asked(request: Received) -> tuple[Ask, Dialect]:
    """Parses a request, and returns the dialect to answer it. Raises Refused if a real server would refuse it."""
    read = reader_of(request.path)
    if read is None:
        raise Refused(404, f"{request.path} is neither a chat nor embeddings")
    ask = read(request.json)
    return ask, dialect_of(request.path, ask)
