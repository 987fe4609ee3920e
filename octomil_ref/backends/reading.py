"""Turns the bytes of an upstream, which may be anything, into values: whole and streamed answers.

Each function returns a sound value, or the attempt fails with an UpstreamError.
"""

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from octomil_ref import json_codec
from octomil_ref.backends import Ending, Piece, Reasoning, Token
from octomil_ref.backends.http import UpstreamResponse
from octomil_ref.backends.refusals import (
    error_in_answer,
    error_of_response,
    has_error,
    json_or_text,
    reason_and_codes,
)
from octomil_ref.errors import KeyRefused, NoSuchPath, UpstreamError

MAX_ERROR = 1024 * 1024  # bytes of an error; the status decides if there are more
MAX_COUNT = 2**53  # some JSON parsers cannot represent larger integers exactly


def failure(response: UpstreamResponse) -> tuple[UpstreamError, str]:
    """The error that an unsuccessful response means, and the text of the response. Closes the response."""
    body = b""
    with suppress(UpstreamError):  # the status alone is enough
        body = response.body(MAX_ERROR)
    response.close()
    error = error_of_response(
        response.provider, response.status, body, response.retry_after()
    )
    return response.redacted(error), reason_and_codes(json_or_text(body))


def is_success(response: UpstreamResponse) -> bool:
    """True for any 2xx: gateways in NestJS answer a POST with 201. The body still has to be an answer."""
    return 200 <= response.status < 300


@contextmanager
def whole_body(response: UpstreamResponse) -> Iterator[bytes]:
    """Gives the body of a success. Raises Broken if the code inside finds a value that the dialect does not allow."""
    if not is_success(response):
        raise failure(response)[0]
    with readable(response):
        try:
            body = response.body()
        finally:
            response.close()
        yield body


@contextmanager
def whole_answer(response: UpstreamResponse) -> Iterator[Any]:
    """Like `whole_body`, but gives the JSON value in the body. Raises UpstreamError if it is an error."""
    with whole_body(response) as body:
        value = json_codec.decode(body)
        if isinstance(value, dict) and has_error(value):
            raise error_in_answer(response.provider, value)
        yield value


class LineReader(Protocol):
    """Reads the lines of one stream in one dialect."""

    def read(self, line: bytes) -> list[Piece]:
        """The pieces in one line. Raises UpstreamError for an error frame, and one of MALFORMED for a malformed line."""

    def is_complete(self) -> bool:
        """True if the answer is complete, although its token counts may still follow."""

    def end(self, failure: UpstreamError) -> list[Piece]:
        """Called when the body ends: the last pieces, with the ending. Raises `failure` unless the answer is complete."""


def text_of_stream(
    body: bytes, reader: LineReader, cut_off: UpstreamError
) -> tuple[str, Ending]:
    """Reads a stream as a whole, because some gateways stream although a whole answer was asked for. Raises `cut_off` if it has no end."""
    pieces = [piece for line in body.split(b"\n") for piece in reader.read(line)]
    if not any(isinstance(piece, Ending) for piece in pieces):
        pieces += reader.end(cut_off)
    texts = [piece.text for piece in pieces if isinstance(piece, Token)]
    ending = next(piece for piece in pieces if isinstance(piece, Ending))
    return "".join(texts), ending


class StreamedAnswer:
    """The pieces of a streamed answer. Pieces that arrive together come in one list; the last piece is an Ending.

    Iterating raises UpstreamError if the upstream fails, or if no further piece arrives for `timeout` seconds.
    """

    def __init__(
        self, response: UpstreamResponse, reader: LineReader, timeout: float
    ) -> None:
        self._response = response
        self._reader = reader
        self._timeout = timeout
        self._failure: UpstreamError | None = None  # how the connection failed
        self._ended = False

    def __iter__(self) -> Iterator[list[Piece]]:
        while lines := self._next_lines():
            pieces, failure = self._read(lines)
            if pieces:
                yield pieces
                # After the yield, because the client may have read slowly.
                self._response.deadline.renew(self._timeout)
            if failure:
                raise failure
            if self._ended:
                return
            if self._reader.is_complete():
                # Some upstreams keep the connection open and send no counts.
                self._response.deadline.shorten(self._timeout / 2)
        with readable(self._response):
            pieces = self._reader.end(
                self._failure or self._response.broken("cut its answer off")
            )
        self._ended = True
        yield pieces

    def close(self) -> None:
        if self._ended:
            self._response.drain()
        self._response.close()

    def _next_lines(self) -> list[bytes]:
        """The next lines; empty if no more follow."""
        try:
            return self._response.next_lines()
        except UpstreamError as ex:
            self._failure = ex
            return []

    def _read(self, lines: list[bytes]) -> tuple[list[Piece], UpstreamError | None]:
        """The pieces up to the ending or to the first failure, and that failure."""
        pieces: list[Piece] = []
        try:
            for line in lines:
                if found := self._reader.read(line):
                    pieces += found
                    if isinstance(found[-1], Ending):
                        self._ended = True
                        break
        except UpstreamError as ex:
            return pieces, self._response.redacted(ex)
        except MALFORMED:
            return pieces, self._response.redacted(self._response.broken(NO_ANSWER))
        return pieces, None


MALFORMED = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""The exceptions of code that reads a malformed value."""

NO_ANSWER = "sent something that is not an answer"


@contextmanager
def readable(response: UpstreamResponse) -> Iterator[None]:
    """A context for code that reads data of the upstream. Malformed data raises Broken, and no UpstreamError shows credentials."""
    try:
        yield
    except UpstreamError as ex:
        response.redacted(ex)
        raise
    except MALFORMED as ex:
        raise response.redacted(response.broken(NO_ANSWER)) from ex


def json_object(data: bytes) -> dict[str, Any]:
    value = json_codec.decode(data)
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def text(value: object) -> str:
    """Text that can be encoded in UTF-8. Absent text is empty."""
    if isinstance(value, str) and value.isascii():  # almost every token
        return value
    split = SplitText()
    return split.add(value) + split.rest()


class SplitText:
    """Text that arrives in parts. Gateways in JavaScript may cut it between the two surrogates of a character."""

    def __init__(self) -> None:
        self._half = ""  # a first surrogate whose second has not arrived

    def add(self, value: object) -> str:
        """The text up to the last whole character. Absent text is empty."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TypeError("not text")
        if value.isascii() and not self._half:
            return value
        joined = self._half + value
        self._half = joined[-1:] if "\ud800" <= joined[-1:] <= "\udbff" else ""
        return _encodable(joined.removesuffix(self._half))

    def rest(self) -> str:
        """A replacement for a half that was never completed; empty if there is none."""
        return _encodable(self._half)


def _encodable(value: str) -> str:
    """Joins the halves of surrogate pairs, and replaces single ones."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def pieces(thoughts: object, words: str) -> list[Piece]:
    """The pieces of one message, or of one increment of it. `words` can be encoded in UTF-8."""
    found: list[Piece] = [Reasoning()] if thoughts else []
    if words:
        found.append(Token(words))
    return found


def names(models: Any, field: str) -> list[str]:
    """The names of listed models, without malformed entries."""
    found = []
    for model in models or []:  # older Ollamas send null if there are none
        with suppress(*MALFORMED):
            found.append(text(model[field]))
    return [name for name in found if name]


def count(value: object) -> int | None:
    """A number of tokens, or None: an answer without a count, or with an impossible one, is still an answer."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        return None
    return value


def probe(response: UpstreamResponse) -> str | None:
    """Returns a hint for the operator, or None. Raises UpstreamError if the upstream fails or refuses the key.

    Any other response shows that the upstream can be asked: not every server lists its models. MLX LM answered 501.
    """
    if not is_success(response):
        error: UpstreamError | None = failure(response)[0]
        unknown_path = response.status in (404, 501) or isinstance(error, NoSuchPath)
    else:
        with whole_body(response) as body:
            answer = json_or_text(body)
        is_error = isinstance(answer, dict) and has_error(answer)
        error = error_in_answer(response.provider, answer) if is_error else None
        unknown_path = isinstance(answer, str) or isinstance(error, NoSuchPath)
    is_down = response.status >= 500 and not unknown_path
    if error and (is_down or isinstance(error, KeyRefused)):
        raise error
    return f"Status {response.status}: check the base URL." if unknown_path else None


def vectors(value: Any, expected: int) -> list[list[float]]:
    """`expected` vectors of finite numbers, all of one dimension."""
    if len(value) != expected or len(set(map(len, value))) != 1 or not value[0]:
        raise ValueError("vectors are missing")
    for vector in value:
        if type(vector) is not list or not set(map(type, vector)) <= {int, float}:
            raise TypeError("not a vector of numbers")
        # Checking the sum is quicker than checking each number. The sum may overflow although all numbers are finite.
        if not math.isfinite(sum(vector)) and not all(map(math.isfinite, vector)):
            raise ValueError("a number is not finite")
    return list(value)


def in_order(data: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The vectors in the order of `index`, which may be text and count from any number (Xinference).

    A missing index is the position: Gemini omits an index of 0, and others omit all.
    """
    found = {}
    for position, item in enumerate(data):
        index = item.get("index")
        found[position if index is None else int(index)] = _vector(item["embedding"])
    return [found[index] for index in sorted(found)]


def _vector(embedding: object) -> object:
    """The numbers. Some servers send them as base64 of little-endian floats, even if numbers were asked for."""
    if isinstance(embedding, list) and len(embedding) == 1:
        # llama-cpp-python sends an array of vectors.
        return embedding[0] if isinstance(embedding[0], list) else embedding
    if not isinstance(embedding, str):
        return embedding
    data = base64.b64decode(embedding, validate=True)
    if len(data) % 4:
        raise ValueError("not a sequence of floats")
    return [number for (number,) in struct.iter_unpack("<f", data)]
