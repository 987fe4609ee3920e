"""Turns what an upstream sends, which may be anything, into values: whole answers and streamed ones.

Each function returns a sound value, or the attempt fails with an UpstreamError.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from octomil_ref import json_codec
from octomil_ref.backends import FINISH_REASONS, Ending, Piece, Reasoning, Token
from octomil_ref.backends.http import UpstreamResponse
from octomil_ref.backends.refusals import refusal, reported
from octomil_ref.errors import Broken, UpstreamError

USAGE_TIMEOUT = 1.0
"""Seconds to wait for the usage after an answer is complete."""

MAX_COUNT = 2**53
"""Some JSON parsers cannot represent larger integers exactly."""


def require_success(response: UpstreamResponse) -> None:
    """Raises UpstreamError, and closes the response, unless its status is 200."""
    if response.status == 200:
        return
    body = b""
    with suppress(UpstreamError):  # the status alone is enough
        body = response.body()
    response.close()
    failure = refusal(response.provider, response.status, body, response.retry_after)
    raise response.redacted(failure)


@contextmanager
def whole_answer(response: UpstreamResponse) -> Iterator[dict[str, Any]]:
    """Gives the JSON object in the body. Raises Broken if the code inside finds a value that the dialect does not allow."""
    require_success(response)
    try:
        body = response.body()
    finally:
        response.close()
    with malformed_is_broken(response.provider):
        fields = json_object(body)
        if fields.get("error"):
            raise response.redacted(reported(response.provider, body))
        yield fields


class LineReader(Protocol):
    """Reads the lines of one stream in one dialect."""

    finished: bool
    """The answer is complete, but its usage may still follow."""

    def read(self, line: bytes) -> list[Piece]:
        """The pieces in one line. Raises UpstreamError for an error frame, and what `malformed_is_broken` catches."""

    def end(self, failure: UpstreamError) -> Ending:
        """Called when the body ends. Raises `failure` unless the answer is complete."""


class StreamedAnswer:
    """The pieces of a streamed answer. Pieces that arrive together come in one list; the last piece is an Ending.

    Iterating raises UpstreamError if the upstream fails, or if no piece arrives for `timeout` seconds.
    """

    def __init__(
        self, response: UpstreamResponse, reader: LineReader, timeout: float
    ) -> None:
        self._response = response
        self._reader = reader
        self._timeout = timeout
        self._failure: UpstreamError | None = None
        """How the connection failed."""
        self._ended = False

    def __iter__(self) -> Iterator[list[Piece]]:
        for lines in self._arriving():
            pieces, failure = self._read(lines)
            if pieces:
                yield pieces
                # After the yield, because the client may have read slowly.
                self._response.deadline.renew(self._timeout)
            if failure:
                raise failure
            if self._ended:
                return
            if self._reader.finished:
                self._response.deadline.shorten(USAGE_TIMEOUT)
        self._ended = True
        yield [self._reader.end(self._failure or self._response.cut_off())]

    def close(self) -> None:
        if self._ended:
            self._response.drain()
        self._response.close()

    def _arriving(self) -> Iterator[list[bytes]]:
        try:
            yield from self._response.lines()
        except UpstreamError as ex:
            self._failure = ex

    def _read(self, lines: list[bytes]) -> tuple[list[Piece], UpstreamError | None]:
        """The pieces up to the ending or to the first failure, and that failure."""
        pieces: list[Piece] = []
        try:
            with malformed_is_broken(self._response.provider):
                for line in lines:
                    pieces += self._reader.read(line)
                    if pieces and isinstance(pieces[-1], Ending):
                        self._ended = True
                        break
        except UpstreamError as ex:
            return pieces, self._response.redacted(ex)
        return pieces, None


@contextmanager
def malformed_is_broken(provider: str) -> Iterator[None]:
    """Turns the exceptions of code that reads a malformed value into Broken."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as ex:
        raise Broken(
            f"The {provider} backend sent something else than an answer."
        ) from ex


def json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json_codec.decode(data)
    except RecursionError as ex:
        raise ValueError("nested too deeply") from ex
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def text(value: object) -> str:
    """Text that can be encoded in UTF-8. Absent text is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


def pieces(thoughts: object, content: object) -> list[Piece]:
    """The pieces of one message, or of one increment of it."""
    found: list[Piece] = [Reasoning()] if thoughts else []
    if words := text(content):
        found.append(Token(words))
    return found


def finish_reason(value: object) -> str | None:
    return value if isinstance(value, str) and value in FINISH_REASONS else None


def count(value: object) -> int:
    """A number of tokens. An absent count is 0."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError("not a count")
    return value


def vectors(value: Any, expected: int) -> list[list[float]]:
    """`expected` vectors of finite numbers, all of one dimension."""
    if len(value) != expected or len(set(map(len, value))) != 1 or not value[0]:
        raise ValueError("vectors are missing")
    for vector in value:
        if type(vector) is not list or not set(map(type, vector)) <= {int, float}:
            raise TypeError("not a vector of numbers")
        if not all(map(math.isfinite, vector)):
            raise ValueError("a number is not finite")
    return list(value)
