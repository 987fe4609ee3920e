"""A byte-exact reader of server-sent events. It reads leniently and keeps every byte; `wire/stream.py` judges what is allowed.

A frame is what is between two blank lines. A byte order mark, white space before `data:` or a missing blank line at the end do
not hide an event, so that one fault is one finding.
"""

import re
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|$)")


@dataclass(frozen=True)
class Line:
    text: bytes
    """Without its line end."""
    end: bytes
    """LF, CRLF, CR, or nothing where the body stopped."""

    @property
    def is_data(self) -> bool:
        return self.text.lstrip().startswith(b"data:")

    @property
    def value(self) -> bytes:
        """The value of a data line."""
        return self.text.lstrip()[len(b"data:") :].removeprefix(b" ")


@dataclass(frozen=True)
class Frame:
    lines: tuple[Line, ...]
    """Without the blank one."""
    terminated: bool
    """True if a blank line followed."""
    stop: int
    """Offset in the body of the first byte after the frame."""

    @property
    def data(self) -> tuple[bytes, ...]:
        """One value for each data line."""
        return tuple(line.value for line in self.lines if line.is_data)

    @property
    def is_comment(self) -> bool:
        return all(line.text.startswith(b":") for line in self.lines)

    @property
    def payload(self) -> bytes:
        return b"\n".join(self.data)


def parse(body: bytes) -> tuple[Frame, ...]:
    frames: list[Frame] = []
    lines: list[Line] = []
    start = len(BOM) if body.startswith(BOM) else 0
    stop = start
    for match in LINE.finditer(body, start):
        line = Line(match[1], match[2])
        stop = match.end()
        if line.text:
            lines.append(line)
        elif lines and line.end:
            frames.append(Frame(tuple(lines), True, stop))
            lines = []
    if lines:
        frames.append(Frame(tuple(lines), False, stop))
    return tuple(frames)
