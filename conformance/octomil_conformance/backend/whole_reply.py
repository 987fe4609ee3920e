"""The verbs of a scenario for an answer in one piece: a chat that is not streamed, or embeddings."""

from collections.abc import Iterable, Mapping

from octomil_conformance.backend.ask import Ask, Dialect, Json, compact
from octomil_conformance.backend.gates import WHOLE
from octomil_conformance.backend.last_acts import GARBAGE, drop, refuse
from octomil_conformance.backend.line import Line
from octomil_conformance.backend.words import echo_tokens, embed

DRIPS = 4
"""Pieces in which a whole answer drips."""


class WholeReply:
    def __init__(self, ask: Ask, dialect: Dialect, line: Line) -> None:
        self.echo = echo_tokens(ask.prompt)
        self._ask = ask
        self._dialect = dialect
        self._line = line
        self._said: list[str] = []
        self._thoughts = ""
        self._reason = "stop"

    def open(self) -> None:
        pass

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        tokens = list(tokens)
        limit = self._ask.limit
        room = len(tokens) if limit is None else limit - len(self._said)
        self._said += tokens[:room]
        if room < len(tokens):
            self._reason = "length"

    def think(self, thoughts: Iterable[str]) -> None:
        self._thoughts += "".join(thoughts)

    def pause(self, seconds: float) -> None:
        self._line.pause(seconds)

    def close_gate(self, tokens: int) -> None:
        self._line.close_gate(tokens)

    def finish(self, gap: float = 0.0, vectors_lost: int = 0) -> None:
        self._line.pass_gate(WHOLE)
        body = compact(self._body(vectors_lost))
        self._head(len(body))
        step = -(-len(body) // DRIPS) if gap else len(body)
        for start in range(0, len(body), step):
            self._line.pause(gap)
            if start + step >= len(body):
                self._line.ending("answered")
            self._line.write(body[start : start + step])

    def stop_short(self) -> None:
        body = compact(self._body(0))
        self._last(body[: len(body) // 2])

    def cut(self) -> None:
        body = compact(self._body(0))
        self._head(len(body))
        if self._said or self._ask.texts:
            self._line.write(body[: len(body) // 2])
        drop(self._line)

    def garble(self) -> None:
        self._last(GARBAGE)

    def fail(self, message: str) -> None:
        self._last(compact(self._dialect.error(500, message, "server_error")))

    def refuse(
        self, status: int, message: str, kind: str, headers: Mapping[str, str]
    ) -> None:
        body = self._dialect.error(status, message, kind)
        refuse(self._line, status, body, headers)

    def drop(self) -> None:
        drop(self._line)

    def _body(self, vectors_lost: int) -> Json:
        if self._ask.texts is None:
            text = "".join(self._said)
            count = len(self._said)
            return self._dialect.whole(text, self._thoughts, self._reason, count)
        kept = self._ask.texts[: len(self._ask.texts) - vectors_lost]
        return self._dialect.vectors([embed(text) for text in kept])

    def _head(self, length: int) -> None:
        self._line.head(200, {"Content-Type": "application/json"}, length)

    def _last(self, data: bytes) -> None:
        self._line.ending("answered")
        self._head(len(data))
        self._line.write(data)
