"""The body of a streamed answer (spec section 5): a backend's pieces as server-sent events.

An event is one `data:` line of ASCII JSON and a blank line; some clients also split lines at U+2028, U+2029 and U+0085.
"""

import errno
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from octomil_ref import json_codec
from octomil_ref.backends import Ending, Piece, Reasoning, Token
from octomil_ref.clock import Deadline
from octomil_ref.errors import ClientLeft, InternalError, TimedOut, UpstreamError
from octomil_ref.fallback import CommittedStream
from octomil_ref.records import AccessRecord

CONTENT_TYPE = "text/event-stream"

COMMENT = b": the model is thinking\n\n"
"""All SSE parsers skip a comment. It keeps proxies from closing a quiet connection."""

COMMENT_INTERVAL = 1.0  # the least seconds between two comments while a model thinks


class TransferCut(BrokenPipeError):
    """Raised from a body to end the transfer without its last chunk. No other sign of an incomplete answer reaches all clients.

    Any exception ends the transfer. For this one the servers log no traceback.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the upstream's answer is incomplete")


class Events(Protocol):
    """How the events of one stream are written."""

    def token(self, text: str) -> bytes: ...

    def final(self, ending: Ending, latency_ms: float) -> bytes: ...

    def interruption(self, error: dict[str, object]) -> bytes:
        """The last event of a stream that failed: `error` has `code`, `message` and `retryable`."""


class TokenEvents:
    """The events of `/inference/stream`."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        name = json_codec.encode(provider)
        self._after_token = b',"done":false,"provider":%b}\n\n' % name

    def token(self, text: str) -> bytes:
        # Written out, because almost all of a stream consists of these.
        return b'data: {"token":' + json_codec.encode(text) + self._after_token

    def final(self, ending: Ending, latency_ms: float) -> bytes:
        session_id = uuid.uuid4().hex
        known = {"latency_ms": latency_ms, "session_id": session_id, **ending.to_json()}
        return self._without_token(True, known)

    def interruption(self, error: dict[str, object]) -> bytes:
        return self._without_token(False, {"error": error})

    def _without_token(self, done: bool, rest: dict[str, object]) -> bytes:
        return event({"token": "", "done": done, "provider": self._provider, **rest})


@dataclass(eq=False)
class EventStream:
    """The WSGI server iterates it, then closes it. Tokens that arrived together leave in one write."""

    opened: CommittedStream
    events: Events
    record: AccessRecord
    close: Callable[[], None]
    """Releases everything that the stream holds."""

    def __post_init__(self) -> None:
        self._next_comment = Deadline(0)
        # It stays `client_left` if the server closes the stream before its end.
        self.record.events, self.record.ended = 0, "client_left"

    def __iter__(self) -> Iterator[bytes]:
        try:
            for pieces in self.opened:
                if events := b"".join(map(self._event, pieces)):
                    yield events
        except UpstreamError as ex:
            self.record.ended = "interrupted"
            yield self._interruption(ex)
            raise TransferCut from ex
        except ClientLeft as ex:
            raise TransferCut from ex
        except Exception:  # a bug, which the HTTP server logs
            self.record.ended, self.record.error = "interrupted", InternalError.code
            raise

    def _event(self, piece: Piece) -> bytes:
        if isinstance(piece, Token):
            return self._token(piece.text)
        return self._comment() if isinstance(piece, Reasoning) else self._final(piece)

    def _token(self, text: str) -> bytes:
        if not self.record.events:
            self.record.first_token_ms = self.record.elapsed_ms()
        self.record.events = (self.record.events or 0) + 1
        return self.events.token(text)

    def _comment(self) -> bytes:
        if self._next_comment.remaining() > 0:
            return b""
        self._next_comment.renew(COMMENT_INTERVAL)
        return COMMENT

    def _final(self, ending: Ending) -> bytes:
        self.record.ended = "complete"
        self.record.add_ending(ending)
        return self.events.final(ending, self.record.elapsed_ms())

    def _interruption(self, failure: UpstreamError) -> bytes:
        stalled = isinstance(failure, TimedOut)
        code = "request_timeout" if stalled else "stream_interrupted"
        self.record.error = code
        return self.events.interruption(
            {"code": code, "message": failure.message, "retryable": True}
        )


def event(data: dict[str, object]) -> bytes:
    return b"data: " + json_codec.encode(data) + b"\n\n"
