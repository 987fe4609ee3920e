"""One streamed answer, event by event."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

from octomil_conformance.server.clock import milliseconds_since
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.frames import frame_of
from octomil_conformance.server.gateway import Stream
from octomil_conformance.server.layers import Json


class EventStream:
    def __init__(
        self,
        opening: Callable[[], Stream],
        faults: frozenset[str],
        swap: Callable[[str], str],
    ) -> None:
        self._opening, self._faults, self._swap = opening, faults, swap
        self._stream: Stream | None = None
        self._began = time.monotonic()

    def open(self) -> Stream:
        """Returns when there is a token, or none to come. Raises Failure."""
        if self._stream is None:
            self._stream = self._changed(self._opening())
        return self._stream

    def close(self) -> None:
        """Nobody reads on."""
        if self._stream is None:
            return
        if "ignores_disconnect" in self._faults:
            list(self._stream.tokens)
        self._stream.close()

    def pieces(self) -> Iterator[bytes]:
        """Breaks off with BrokenPipeError when the answer does."""
        try:
            stream = self.open()
        except Failure as ex:
            raise BrokenPipeError from ex
        provider = {"provider": stream.provider}
        last = {"token": "", "done": True, **provider, "session_id": uuid.uuid4().hex}
        try:
            for token in stream.tokens:
                event = {"token": token, "done": False, **provider}
                yield frame_of(event) if token else b": thinking\n\n"
        except Failure as ex:
            yield frame_of(
                {"token": "", "done": False, **provider, "error": _error(ex)}
            )
            if "cut_looks_done" in self._faults:
                yield frame_of(last)
            elif "cut_ends_cleanly" not in self._faults:
                raise BrokenPipeError from ex
        else:
            latency = {"latency_ms": milliseconds_since(self._began)}
            yield frame_of(last | latency | stream.ending)

    def _changed(self, stream: Stream) -> Stream:
        if "buffers_stream" in self._faults:
            return replace(stream, tokens=iter(list(stream.tokens)))
        if "mixes_streams" in self._faults:
            return replace(stream, tokens=map(self._swap, stream.tokens))
        return stream


def _error(failure: Failure) -> Json:
    code = "request_timeout" if failure.cause == "timeout" else "stream_interrupted"
    return {"code": code, "message": failure.message, "retryable": True}
