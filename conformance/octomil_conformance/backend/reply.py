"""The verbs in which scenarios are told. stream_reply.py speaks them token by token, whole_reply.py for single answers and embeddings."""

from collections.abc import Iterable, Mapping
from typing import Protocol


class Reply(Protocol):
    """What a scenario can do. One of `finish`, `stop_short`, `cut`, `garble`, `fail`, `refuse` and `drop` is its last act."""

    echo: list[str]
    """The prompt's tokens."""

    def open(self) -> None:
        """The status of success goes out; a whole answer has no head of its own yet."""

    def say(self, tokens: Iterable[str], gap: float = 0.0, split: bool = False) -> None:
        """Tokens up to the limit that was asked for, `gap` seconds before each. `split`: in two writes, parted inside a character."""

    def think(self, thoughts: Iterable[str]) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def close_gate(self, tokens: int) -> None: ...

    def finish(self, gap: float = 0.0, vectors_lost: int = 0) -> None:
        """The answer is complete. `gap`: a whole one drips."""

    def stop_short(self) -> None:
        """A clean end of an answer that is not complete."""

    def cut(self) -> None:
        """The connection breaks; what was promised is missing."""

    def garble(self) -> None:
        """Something else than the dialect."""

    def fail(self, message: str) -> None:
        """An error frame and a clean end; of a whole answer, an error under status 200."""

    def refuse(
        self, status: int, message: str, kind: str, headers: Mapping[str, str]
    ) -> None:
        """An error answer instead of any other."""

    def drop(self) -> None:
        """The connection is closed without a byte."""
