"""A streamed answer as pieces: what a dialect's reader makes of each line, with deadlines and the end watched over."""

from collections.abc import Iterator
from typing import Protocol

from octomil_ref.answers import Ending, Piece
from octomil_ref.backends.http import Answer
from octomil_ref.backends.upstream_json import understanding
from octomil_ref.errors import UpstreamError

USAGE_TIMEOUT = 1.0
"""Seconds that a finished answer may take to tell its usage."""


class LineReader(Protocol):
    """One dialect's understanding of one stream."""

    finished: bool
    """The answer is complete; its usage may still come."""

    def read(self, line: bytes) -> list[Piece]:
        """The pieces in one line. Raises UpstreamError for an error frame, and what `understanding` knows for garbage."""

    def end(self, failure: UpstreamError) -> Ending:
        """No more lines will come. Raises `failure` unless the answer was complete."""


class PieceStream:
    """Pieces in lists, those that arrived together in one: tokens and reasoning, and an Ending as the very last.

    Iterating raises UpstreamError when the upstream fails or lets `timeout` seconds pass without a piece. Whoever holds
    the stream closes it, which makes the upstream stop.
    """

    def __init__(self, answer: Answer, reader: LineReader, timeout: float) -> None:
        self._answer = answer
        self._reader = reader
        self._timeout = timeout
        self._end_of_lines: UpstreamError = answer.cut_off()
        self._ended = False

    def __iter__(self) -> Iterator[list[Piece]]:
        for lines in self._arriving():
            pieces, failure = self._read(lines)
            if pieces:
                yield pieces
                # Now, not before the yield: the client may have taken its time.
                self._answer.deadline.renew(self._timeout)
            if failure:
                raise failure
            if self._ended:
                return
            if self._reader.finished:
                self._answer.deadline.shorten(USAGE_TIMEOUT)
        self._ended = True
        yield [self._reader.end(self._end_of_lines)]

    def close(self) -> None:
        if self._ended:
            self._answer.drain()
        self._answer.close()

    def _arriving(self) -> Iterator[list[bytes]]:
        try:
            yield from self._answer.lines()
        except UpstreamError as ex:
            self._end_of_lines = ex

    def _read(self, lines: list[bytes]) -> tuple[list[Piece], UpstreamError | None]:
        """What the lines hold up to the ending, or up to the failure that stands among them."""
        pieces: list[Piece] = []
        try:
            with understanding(self._answer.provider):
                for line in lines:
                    pieces += self._reader.read(line)
                    if pieces and isinstance(pieces[-1], Ending):
                        self._ended = True
                        break
        except UpstreamError as ex:
            return pieces, self._answer.hushed(ex)
        return pieces, None
