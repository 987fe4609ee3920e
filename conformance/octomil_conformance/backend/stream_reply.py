"""The verbs of a scenario, token by token."""

from collections.abc import Iterable, Mapping

from octomil_conformance.backend.ask import Ask, Dialect
from octomil_conformance.backend.last_acts import GARBAGE, drop, refuse
from octomil_conformance.backend.line import Line
from octomil_conformance.backend.words import echo_tokens


class StreamReply:
    def __init__(self, ask: Ask, dialect: Dialect, line: Line) -> None:
        self.echo = echo_tokens(ask.prompt)
        self._ask = ask
        self._dialect = dialect
        self._line = line
        self._opened = False
        self._said = 0
        self._reason = "stop"

    def open(self) -> None:
        if not self._opened:
            self._opened = True
            self._line.head(200, {"Content-Type": self._dialect.stream_type})
            if opening := self._dialect.opening():
                self._line.write(opening)

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        for token in tokens:
            if self._said == self._ask.limit:
                self._reason = "length"
                return
            self._line.pause(gap)
            self._line.pass_gate(self._said + 1)
            self.open()
            for piece in _pieces(self._dialect.token(token), split):
                self._line.write(piece)
            self._said += 1
            self._line.token_sent()

    def think(self, thoughts: Iterable[str]) -> None:
        self.open()
        for thought in thoughts:
            self._line.write(self._dialect.thought(thought))

    def pause(self, seconds: float) -> None:
        self._line.pause(seconds)

    def close_gate(self, tokens: int) -> None:
        self._line.close_gate(tokens)

    def finish(self, gap: float = 0.0, vectors_lost: int = 0) -> None:
        self._line.pass_gate(self._said + 1)
        self._last(self._dialect.ending(self._reason, self._said))

    def stop_short(self) -> None:
        self.open()
        self._line.ending("cut")
        self._line.end()

    def cut(self) -> None:
        self.open()
        drop(self._line)

    def garble(self) -> None:
        self._last(GARBAGE if self._said == 0 else b"data: {" + GARBAGE)

    def fail(self, message: str) -> None:
        self._last(self._dialect.error_frame(message))

    def refuse(
        self, status: int, message: str, kind: str, headers: Mapping[str, str]
    ) -> None:
        body = self._dialect.error(status, message, kind)
        refuse(self._line, status, body, headers)

    def drop(self) -> None:
        drop(self._line)

    def _last(self, data: bytes) -> None:
        self.open()
        self._line.ending("answered")
        self._line.write(data)
        self._line.end()


def _pieces(frame: bytes, split: bool) -> list[bytes]:
    """The frame, or its two parts, the first of which ends inside a character of several bytes."""
    inside = next((index for index, byte in enumerate(frame) if byte >= 0x80), None)
    if not split or inside is None:
        return [frame]
    return [frame[: inside + 1], frame[inside + 1 :]]
