"""The body of a streamed answer (spec section 5): a backend's pieces as server-sent events."""

import errno
import uuid
from collections.abc import Callable, Iterator

from waitress.channel import ClientDisconnected

from octomil_ref import json_text, sse
from octomil_ref.answers import Ending, Piece, Reasoning, Token
from octomil_ref.clock import Deadline
from octomil_ref.errors import TimedOut, UpstreamError
from octomil_ref.fallback import CommittedStream
from octomil_ref.request_log import Record

COMMENT_INTERVAL = 1.0
"""Seconds between two comments while a model thinks, at least."""


class TransferCut(BrokenPipeError, ClientDisconnected):
    """Raised from a body to break the transfer off without its end, the one sign of a cut answer that every client sees.

    Any exception does that. These two kinds gunicorn and waitress take for a client that left, so that neither logs a
    traceback for what is the upstream's failure.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the upstream's answer is incomplete")


class EventStream:
    """Iterated, then closed, by the WSGI server. Tokens that arrived together leave together in one write."""

    def __init__(
        self, opened: CommittedStream, record: Record, close: Callable[[], None]
    ) -> None:
        """`close` ends whatever the stream holds."""
        self._opened = opened
        self._record = record
        self._close = close
        self._provider = json_text.write(opened.provider)
        self._next_comment = Deadline(0)
        record.provider, record.tokens, record.ended = opened.provider, 0, "client_left"

    def __iter__(self) -> Iterator[bytes]:
        try:
            for pieces in self._opened:
                if events := b"".join(map(self._event, pieces)):
                    yield events
        except UpstreamError as ex:
            self._record.ended = "interrupted"
            yield self._interruption(ex)
            raise TransferCut from ex

    def close(self) -> None:
        self._close()

    def _event(self, piece: Piece) -> bytes:
        match piece:
            case Token():
                return self._token(piece)
            case Reasoning():
                return self._comment()
            case _:
                return self._final(piece)

    def _token(self, token: Token) -> bytes:
        if not self._record.tokens:
            self._record.first_token_ms = self._record.elapsed_ms()
        self._record.tokens = (self._record.tokens or 0) + 1
        return sse.token(token.text, self._provider)

    def _comment(self) -> bytes:
        if self._next_comment.remaining() > 0:
            return b""
        self._next_comment.renew(COMMENT_INTERVAL)
        return sse.COMMENT

    def _final(self, ending: Ending) -> bytes:
        self._record.ended = "complete"
        latency_ms, session_id = self._record.elapsed_ms(), uuid.uuid4().hex
        known = {"latency_ms": latency_ms, "session_id": session_id, **ending.to_json()}
        return self._without_token(True, known)

    def _interruption(self, failure: UpstreamError) -> bytes:
        stalled = isinstance(failure, TimedOut)
        code = "request_timeout" if stalled else "stream_interrupted"
        self._record.error = code
        error = {"code": code, "message": failure.message, "retryable": True}
        return self._without_token(False, {"error": error})

    def _without_token(self, done: bool, rest: dict[str, object]) -> bytes:
        provider = self._opened.provider
        return sse.event({"token": "", "done": done, "provider": provider, **rest})
