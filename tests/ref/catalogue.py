"""Reads the catalogue of what real servers send: the stanzas in `servers/`. The README there says what each field means."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml
from builders import encoded, sse

from octomil_ref.backends import Ending, Usage
from octomil_ref.errors import UpstreamError

FOLDER = Path(__file__).parent / "servers"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C it is ten times faster
MEANINGS = {each.__name__ for each in UpstreamError.__subclasses__()}


def stanzas(kind: type, *files: str) -> list:
    """The stanzas of these files, each as a `kind`."""
    return [
        _made(kind, stanza, name)
        for name in files
        for stanza in yaml.load((FOLDER / name).read_text("utf-8"), LOADER)
    ]


def _made(kind: type, stanza: dict, name: str) -> object:
    try:
        return kind(**stanza)
    except (TypeError, ValueError) as ex:
        raise ValueError(f"a stanza of servers/{name} is wrong: {ex}: {stanza}") from ex


@dataclass(frozen=True)
class Error:
    """A response with an error, and the class of octomil_ref.errors that it means."""

    server: str
    status: int
    body: object
    means: str
    does: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        _check_meaning(self.means)

    @property
    def id(self) -> str:
        return f"{self.server}: {self.does or self.status} means {self.means}"


@dataclass(frozen=True)
class Probe:
    """A response to a probe, and what is found: nothing wrong, a hint about the base URL, or an error."""

    server: str
    status: int
    body: object
    finds: str = ""

    def __str__(self) -> str:
        return f"{self.server}: {self.status}"


@dataclass(frozen=True)
class Answer:
    """What a server sends, and what the backend has to read from it."""

    server: str
    does: str
    streamed: object = None
    whole: object = None
    embedded: object = None
    status: int = 200
    refuses: list[dict] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    texts: tuple[str, ...] = ("a", "b")
    text: str | None = None
    finish_reason: str | None = "stop"
    usage: tuple[int, int] | None = None
    ignored: tuple[str, ...] = ()
    thinks: bool = False
    vectors: list[list[float]] | None = None
    means: str | None = None

    def __post_init__(self) -> None:
        _check_one_of(self.streamed, self.whole, self.embedded)
        _check_one_of(self.text, self.vectors, self.means)
        if self.means:
            _check_meaning(self.means)
        if any(
            {*each} - {"value"} != {"field", "status", "body"} for each in self.refuses
        ):
            raise ValueError("each of `refuses` needs `field`, `status` and `body`")

    @property
    def id(self) -> str:
        return f"{self.server}: {self.does}"

    @property
    def pieces(self) -> list[bytes]:
        """The body, in the pieces in which it arrives."""
        if not isinstance(self.streamed, list):
            return [encoded(self.streamed or self.whole or self.embedded)]
        in_pieces = isinstance(self.streamed[0], list)
        return [
            sse(*each) for each in (self.streamed if in_pieces else [self.streamed])
        ]

    @property
    def expected(self) -> object:
        """The name of an error, vectors, or a text and its ending."""
        if self.text is None:
            return self.means or self.vectors
        usage = Usage(*self.usage) if self.usage else None
        return self.text, Ending(self.finish_reason, usage, tuple(self.ignored))


def _check_meaning(name: str) -> None:
    if name not in MEANINGS:
        raise ValueError(f"{name!r} is not an UpstreamError of octomil_ref.errors")


def _check_one_of(*values: object) -> None:
    if sum(value is not None for value in values) != 1:
        raise ValueError(
            "it needs one of `streamed`, `whole` and `embedded`, and one of `text`, `vectors` and `means`"
        )
