"""The verbs of scenarios: `StreamReply` speaks them token by token, `WholeReply` for single answers and embeddings."""

from collections.abc import Iterable
from itertools import cycle
from typing import Literal, Protocol

from octomil_conformance.backend.ask import Ask, Dialect, Json
from octomil_conformance.backend.forms import Form
from octomil_conformance.backend.gates import WHOLE
from octomil_conformance.backend.response import compact
from octomil_conformance.backend.spoiled import Change, same
from octomil_conformance.backend.stage import JSON, Line
from octomil_conformance.backend.words import echo_tokens, embed

ErrorForm = Literal["alone", "before the end", "beside the end", "other type", "odd"]
"""How an upstream says in a response with status 200 that it failed. In a stream, the end of a good answer follows, except after `alone`."""

GARBAGE = b"<html><body>It works!</body></html>\n"

SPLIT = 0.02
"""Seconds between the two halves of a character, so that they are two segments on the network and two reads."""

DRIPS = 6
"""Pieces in which a whole answer drips."""


class Reply(Protocol):
    """The verbs of a scenario. Its last verb is one of `finish`, `stop_short`, `cut`, `garble`, `fail`, `refuse`, `drop`."""

    echo: list[str]
    """The tokens of the prompt, or of the first text to embed."""

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        """Tokens up to the limit of the request, `gap` seconds before each. `split`: in two writes, cut inside a character."""

    def think(self, thoughts: Iterable[str]) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def stay_awake(self, seconds: float, gap: float) -> None:
        """Sends, for so long, only what keeps a connection awake; white space before a whole answer."""

    def close_gate(self, tokens: int) -> None: ...

    def finish(
        self,
        gap: float = 0.0,
        change: Change = same,
        vectors: Change = same,
    ) -> None:
        """Completes the answer. `gap`: a whole answer drips. The others are for whole answers: `change` is made to the JSON, `vectors` to the vectors in it."""

    def write(self, form: Form) -> None:
        """The answer is written in this form."""

    def spoil(self, change: Change) -> None:
        """Sends a whole answer after this change; a stream sends one token after it, and ends."""

    def finish_varied(self, tokens: Iterable[str]) -> None:
        """These tokens and the end, in the other forms of the dialect; a single answer has one form."""

    def stop_short(self) -> None:
        """Ends the transfer cleanly, but the answer is not complete."""

    def cut(self) -> None:
        """Breaks the connection in the middle of the answer."""

    def garble(self) -> None:
        """Sends something else than the dialect."""

    def fail(self, message: str, form: ErrorForm = "alone") -> None:
        """Sends an error frame and ends cleanly; of a whole answer, an error under status 200."""

    def refuse(self, status: int, message: str, kind: str, **headers: str) -> None:
        """Sends an error status instead of an answer."""

    def drop(self) -> None:
        """Closes the connection without a byte."""

    def hang(self) -> None:
        """Sends the beginning of an answer, and no token."""


class StreamReply:
    def __init__(self, ask: Ask, dialect: Dialect, line: Line) -> None:
        self.echo = echo_tokens(ask.prompt)
        self._ask = ask
        self._dialect = dialect
        self._line = line
        self._response = line.response
        self._opened = False
        self._said = 0
        self._reason = "stop"

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        for token in tokens:
            if self._said == self._ask.limit:
                self._reason = "length"
                return
            self._line.pause(gap)
            self._line.pass_gate(self._said + 1)
            self._open()
            first, *rest = _pieces(self._dialect.token(token), split)
            self._response.chunk(first)
            for piece in rest:
                self._line.pause(SPLIT)
                self._response.chunk(piece)
            self._said += 1
            self._line.token_sent()

    def think(self, thoughts: Iterable[str]) -> None:
        self._open()
        for thought in thoughts:
            self._response.chunk(self._dialect.thought(thought))

    def pause(self, seconds: float) -> None:
        self._line.pause(seconds)

    def stay_awake(self, seconds: float, gap: float) -> None:
        self._open()
        for _, sign in zip(range(round(seconds / gap)), cycle(self._dialect.signs_of_life())):  # fmt: skip
            self._line.pause(gap)
            self._response.chunk(sign)

    def close_gate(self, tokens: int) -> None:
        self._line.close_gate(tokens)

    def finish(
        self,
        gap: float = 0.0,
        change: Change = same,
        vectors: Change = same,
    ) -> None:
        self._line.pass_gate(self._said + 1)
        self._last(self._dialect.ending(self._reason, self._said))

    def finish_varied(self, tokens: Iterable[str]) -> None:
        self._opened = True
        self._response.start_chunked(self._dialect.stream_type)
        self._last(self._dialect.varied([*tokens]))

    def stop_short(self) -> None:
        self._open()
        self._line.ending("cut")
        self._response.end_chunks()

    def cut(self) -> None:
        self._open()
        self._line.break_off("cut")

    def garble(self) -> None:
        self._last(GARBAGE if self._said == 0 else b"data: {" + GARBAGE)

    def write(self, form: Form) -> None:
        self._dialect.form = form

    def spoil(self, change: Change) -> None:
        token = change(self._dialect.increment(self.echo[0]))
        self._last(self._dialect.frame(token) + self._dialect.mark)

    def fail(self, message: str, form: ErrorForm = "alone") -> None:
        message = self._line.quoting(message)
        frames = {
            "beside the end": self._dialect.error_beside_end(message, self._said),
            "other type": self._dialect.frame(self._dialect.other_error(message)),
            "odd": self._dialect.frame(self._dialect.odd_error(message)),
        }
        frame = frames.get(form, self._dialect.error_frame(message))
        if form in ("before the end", "other type", "odd"):
            frame += self._dialect.ending("stop", self._said)
        self._last(frame)

    def refuse(self, status: int, message: str, kind: str, **headers: str) -> None:
        body = self._dialect.error(status, self._line.quoting(message), kind)
        self._line.answer(status, compact(body), **headers)

    def drop(self) -> None:
        self._line.break_off("cut")

    def hang(self) -> None:
        self._open()

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            self._response.start_chunked(self._dialect.stream_type)
            if opening := self._dialect.opening():
                self._response.chunk(opening)

    def _last(self, data: bytes) -> None:
        self._open()
        self._line.ending("answered")
        self._response.chunk(data)
        self._response.end_chunks()


class WholeReply:
    def __init__(self, ask: Ask, dialect: Dialect, line: Line) -> None:
        self.echo = echo_tokens((ask.texts or [ask.prompt])[0])
        self._ask = ask
        self._dialect = dialect
        self._line = line
        self._response = line.response
        self._said: list[str] = []
        self._thoughts = ""
        self._reason = "stop"
        self._split = False
        self._begun = False

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        tokens = list(tokens)
        limit = self._ask.limit
        room = len(tokens) if limit is None else limit - len(self._said)
        self._split = split
        self._said += tokens[:room]
        if room < len(tokens):
            self._reason = "length"

    def think(self, thoughts: Iterable[str]) -> None:
        self._thoughts += "".join(thoughts)

    def pause(self, seconds: float) -> None:
        self._line.pause(seconds)

    def stay_awake(self, seconds: float, gap: float) -> None:
        self._begun = True
        self._response.start_chunked(JSON)
        for _ in range(round(seconds / gap)):
            self._line.pause(gap)
            self._response.chunk(b" ")

    def close_gate(self, tokens: int) -> None:
        self._line.close_gate(tokens)

    def finish(
        self,
        gap: float = 0.0,
        change: Change = same,
        vectors: Change = same,
    ) -> None:
        self._line.pass_gate(WHOLE)
        body = compact(self._dialect.form.change(change(self._body(vectors))))
        if not gap and not self._split:
            self._line.answer(200, body)
            return
        self._start(len(body))
        if self._split:
            self._in_two(body)
            return
        step = -(-len(body) // DRIPS)
        for start in range(0, len(body), step):
            self._line.pause(gap)
            if start + step >= len(body):
                self._line.ending("answered")
            self._response.send(body[start : start + step])

    def finish_varied(self, tokens: Iterable[str]) -> None:
        self.say(tokens)
        self.finish()

    def write(self, form: Form) -> None:
        self._dialect.form = form

    def spoil(self, change: Change) -> None:
        self.say(self.echo)
        self.finish(change=change)

    def stop_short(self) -> None:
        body = compact(self._body())
        self._line.answer(200, body[: len(body) // 2])

    def hang(self) -> None:
        body = compact(self._body())
        self._start(len(body))
        self._response.send(body[: len(body) // 2])
        self._begun = True

    def cut(self) -> None:
        if self._begun:
            return self._line.break_off("cut")
        body = compact(self._body())
        self._start(len(body))
        if self._said or self._ask.texts:
            self._response.send(body[: len(body) // 2])
        self._line.break_off("cut")

    def garble(self) -> None:
        self._line.answer(200, GARBAGE)

    def fail(self, message: str, form: ErrorForm = "alone") -> None:
        message = self._line.quoting(message)
        error = self._dialect.error(500, message, "server_error")
        bodies = {
            "before the end": self._body() | error,
            "beside the end": self._body() | error,
            "other type": self._dialect.other_error(message),
            "odd": self._dialect.odd_error(message),
        }
        self._line.answer(200, compact(bodies.get(form, error)))

    def refuse(self, status: int, message: str, kind: str, **headers: str) -> None:
        body = self._dialect.error(status, self._line.quoting(message), kind)
        self._line.answer(status, compact(body), **headers)

    def drop(self) -> None:
        self._line.break_off("cut")

    def _in_two(self, body: bytes) -> None:
        first, *rest = _pieces(body, split=True)
        self._response.send(first)
        self._line.pause(SPLIT)
        self._line.ending("answered")
        self._response.send(b"".join(rest))

    def _start(self, length: int) -> None:
        self._response.head(200, content_type=JSON, content_length=str(length))

    def _body(self, vectors: Change = same) -> Json:
        if self._ask.texts is None:
            text = "".join(self._said)
            count = len(self._said)
            return self._dialect.whole(text, self._thoughts, self._reason, count)
        found = [*map(embed, self._ask.texts)]
        # A single vector cannot be wrong in all these ways: it is left out.
        wrong = [] if self._ask.one_vector else vectors(found)
        return self._dialect.vectors(found if vectors is same else wrong)


def _pieces(frame: bytes, split: bool) -> list[bytes]:
    """The frame, or its two parts, the first of which ends inside a character of several bytes."""
    inside = next((index for index, byte in enumerate(frame) if byte >= 0x80), None)
    if not split or inside is None:
        return [frame]
    return [frame[: inside + 1], frame[inside + 1 :]]
