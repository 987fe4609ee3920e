"""What a scenario can do: `StreamReply` does it token by token, `WholeReply` for single answers and embeddings.

The last call of a scenario is one of `finish`, `stop_short`, `cut`, `garble`, `fail`, unless `gated` ends the response.
"""

import json
import math
import re
from collections.abc import Iterable
from itertools import cycle, islice
from typing import Literal

from octomil_conformance.backend.ask import Ask
from octomil_conformance.backend.dialects import Dialect
from octomil_conformance.backend.forms import Form, same
from octomil_conformance.backend.gated import JSON, GatedResponse
from octomil_conformance.backend.response import compact
from octomil_conformance.backend.spoiled import small, wide
from octomil_conformance.backend.words import echo_tokens, embed
from octomil_conformance.exchange import Json

ErrorForm = Literal[
    "alone", "before the end", "beside the end", "other type", "odd", "reason", "bare"
]
"""How an upstream reports a failure with status 200. In a stream, the end of a good answer follows, except after `alone`.

`bare`: JSON outside of any event.
"""

NOT_ASCII = re.compile(rb"[\x80-\xff]")

GARBAGE = b"<html><body>It works!</body></html>\n"

SPLIT = 0.02
"""Seconds between the two halves of a character, so that they are two segments on the network and two reads."""

DRIPS = 6
"""Pieces of a whole answer that is sent with pauses."""


class StreamReply:
    def __init__(self, ask: Ask, dialect: Dialect, gated: GatedResponse) -> None:
        self.ask = ask
        self.gated = gated
        """The response, for what streams and whole answers share: pauses, gates, an error status, a closed connection."""
        self.dialect = dialect
        """Its `form` may be set before anything is sent."""
        self.echo = echo_tokens(ask.prompt)
        """The tokens of the prompt, or of the first text to embed."""
        self.pace = gated.pace
        self._response = gated.response
        self._opened = False
        self._said = 0
        self._reason = "stop"

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        """Tokens up to the limit of the request, `gap` seconds before each. `split`: in two writes, cut inside a character."""
        for token in tokens:
            if self._said == self.ask.limit:
                self._reason = "length"
                return
            self.gated.pause(gap)
            self.gated.pass_gate(self._said + 1)
            self._open()
            first, *rest = _pieces(self.dialect.token(token), split)
            self._response.chunk(first)
            for piece in rest:
                self.gated.pause(SPLIT)
                self._response.chunk(piece)
            self._said += 1

    def think(self, thoughts: Iterable[str]) -> None:
        self._open()
        for thought in thoughts:
            self._response.chunk(self.dialect.thought(thought))

    def stay_awake(self, seconds: float, gap: float) -> None:
        """For `seconds`, sends only what keeps a connection open; before a whole answer, white space."""
        self._open()
        signs = cycle(self.dialect.signs_of_life())
        for sign in islice(signs, round(seconds / gap)):
            self.gated.pause(gap)
            self._response.chunk(sign)

    def finish(self, gap: float = 0.0) -> None:
        """Completes the answer. With a `gap`, a whole answer is sent in pieces with pauses between them."""
        self.gated.pass_gate(self._said + 1)
        self._last(self.dialect.ending(self._reason, self._said))

    def finish_varied(self, tokens: Iterable[str]) -> None:
        """Sends these tokens and the end in the other forms of the dialect. A single answer has only one form."""
        self._opened = True
        self._response.start_chunked(self.dialect.stream_type)
        self._last(self.dialect.varied([*tokens]))

    def stop_short(self, has_mark: bool = False) -> None:
        """Ends the transfer cleanly, but the answer is not complete. `has_mark`: after the mark of the dialect."""
        self._open()
        self.gated.ending("cut")
        self._response.end_chunks(self.dialect.mark if has_mark else b"")

    def cut(self) -> None:
        """Breaks the connection in the middle of the answer."""
        self._open()
        self.gated.break_off("cut")

    def garble(self) -> None:
        """Sends bytes that are not of the dialect."""
        self._last(GARBAGE if self._said == 0 else b"data: {" + GARBAGE)

    def interrupt(self) -> None:
        """Sends a line of a stream that is not of the dialect. The stream may go on after it."""
        self._response.chunk(b"data: {" + GARBAGE + b"\n")

    def spoil(self, form: Form) -> None:
        """Sends a whole answer in this form; a stream sends one token in it, and ends."""
        self._open()
        self.dialect.form = form
        token = self.dialect.increment(self.echo[0])
        self._last(self.dialect.frame(token) + self.dialect.mark)

    def fail(self, message: str, form: ErrorForm = "alone") -> None:
        """Sends an error frame and ends cleanly; of a whole answer, an error under status 200."""
        message = self.gated.quoting(message)
        error = self.dialect.error(500, message, "server_error")
        frames = {
            "beside the end": self.dialect.error_beside_end(message, self._said),
            "other type": self.dialect.frame(self.dialect.other_error(message)),
            "odd": self.dialect.frame(self.dialect.odd_error(message)),
            "bare": compact(error) + b"\n\n",
        }
        if reason := self.dialect.failed:
            frames["reason"] = self.dialect.ending(reason, self._said)
        frame = frames.get(form, self.dialect.frame(error))
        if form in ("before the end", "other type", "odd", "bare"):
            frame += self.dialect.ending("stop", self._said)
        self._last(frame)

    def hang(self) -> None:
        """Sends the beginning of an answer, and no token."""
        self._open()

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            form = self.dialect.form
            kind = form.content_type or self.dialect.stream_type
            first = self.dialect.opening()
            self._response.start_chunked(kind, form.status, first)

    def _last(self, data: bytes) -> None:
        self._open()
        if self.dialect.form.stays_open:
            self._response.chunk(data)
            self.gated.pause(self.pace.late)
            data = b""
        self.gated.ending("answered")
        if not self.dialect.form.last_line_ends:
            data = data.rstrip(b"\n")
        self._response.end_chunks(data)


class WholeReply:
    def __init__(self, ask: Ask, dialect: Dialect, gated: GatedResponse) -> None:
        self.ask = ask
        self.gated = gated
        self.dialect = dialect
        self.echo = echo_tokens((ask.texts or [ask.prompt])[0])
        self.pace = gated.pace
        self._response = gated.response
        self._said: list[str] = []
        self._thoughts = ""
        self._reason = "stop"
        self._split = False
        self._begun = False

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        tokens = list(tokens)
        limit = self.ask.limit
        room = len(tokens) if limit is None else limit - len(self._said)
        self._split = split
        self._said += tokens[:room]
        if room < len(tokens):
            self._reason = "length"

    def think(self, thoughts: Iterable[str]) -> None:
        self._thoughts += "".join(thoughts)

    def stay_awake(self, seconds: float, gap: float) -> None:
        self._begun = True
        self._response.start_chunked(JSON)
        for _ in range(round(seconds / gap)):
            self.gated.pause(gap)
            self._response.chunk(b" ")

    def finish(self, gap: float = 0.0) -> None:
        self.gated.pass_gate(math.inf)
        form = self.dialect.form
        answer = form.change(self._body())
        body = compact(answer)
        if form.on_lines:
            body = json.dumps(answer, indent=1, ensure_ascii=False).encode()
        if not gap and not self._split:
            self.gated.answer(form.status, body, form.content_type or JSON)
            return
        self._start(len(body))
        *pieces, last = _pieces(body, split=True) if self._split else _drips(body)
        for piece in pieces:
            self.gated.pause(gap or SPLIT)
            self._response.send(piece)
        self.gated.pause(gap or SPLIT)
        self.gated.ending("answered")
        self._response.send(last)

    def finish_varied(self, tokens: Iterable[str]) -> None:
        self.say(tokens)
        self.finish()

    def interrupt(self) -> None:
        pass

    def spoil(self, form: Form) -> None:
        self.dialect.form = form
        self.say(self.echo)
        self.finish()

    def stop_short(self, has_mark: bool = False) -> None:
        body = compact(self._body())
        self.gated.answer(200, body[: len(body) // 2])

    def hang(self) -> None:
        body = compact(self._body())
        self._start(len(body))
        self._response.send(body[: len(body) // 2])
        self._begun = True

    def cut(self) -> None:
        if self._begun:
            return self.gated.break_off("cut")
        body = compact(self._body())
        self._start(len(body))
        if self._said or self.ask.texts:
            self._response.send(body[: len(body) // 2])
        self.gated.break_off("cut")

    def garble(self) -> None:
        self.gated.answer(200, GARBAGE)

    def fail(self, message: str, form: ErrorForm = "alone") -> None:
        message = self.gated.quoting(message)
        error = self.dialect.error(500, message, "server_error")
        before = compact(self._body()) + b"\n" if form == "before the end" else b""
        bodies = {
            "beside the end": self._body() | error,
            "other type": self.dialect.other_error(message),
            "odd": self.dialect.odd_error(message),
        }
        self._reason = self.dialect.failed
        if self._reason:
            bodies["reason"] = self._body()
        self.gated.answer(200, before + compact(bodies.get(form, error)))

    def _start(self, length: int) -> None:
        self._response.head(200, content_type=JSON, content_length=str(length))

    def _body(self) -> Json:
        if self.ask.texts is None:
            text = "".join(self._said)
            count = len(self._said)
            return self.dialect.whole(text, self._thoughts, self._reason, count)
        found = [embed(text)[: self.ask.dimensions] for text in self.ask.texts]
        change = self.dialect.form.vectors
        # A single vector cannot be wrong in all these ways: it is left out.
        if self.ask.one_vector and change not in (same, wide, small):
            return self.dialect.vectors([])
        return self.dialect.vectors(change(found))


Reply = StreamReply | WholeReply


def _drips(body: bytes) -> list[bytes]:
    step = -(-len(body) // DRIPS)
    return [body[start : start + step] for start in range(0, len(body), step)]


def _pieces(frame: bytes, split: bool) -> list[bytes]:
    """The frame, or its two parts: the first ends inside a character of several bytes."""
    inside = NOT_ASCII.search(frame) if split else None
    if inside is None:
        return [frame]
    return [frame[: inside.end()], frame[inside.end() :]]
