"""A byte-exact reader of server-sent events. It reads leniently and keeps every byte: what is allowed, `wire/stream.py` judges.

A frame is what stands between two blank lines. One fault shall be one finding, so that a byte order mark, white space before
`data:` or a missing blank line at the end do not hide the event from all other checks.
"""

import re
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|$)")


@dataclass(frozen=True)
class Line:
    text: bytes
    """Without its end."""
    end: bytes
    """LF, CRLF, CR, or nothing where the body stopped."""

    @property
    def is_data(self) -> bool:
        return self.text.lstrip().startswith(b"data:")

    @property
    def value(self) -> bytes:
        """Of a data line."""
        return self.text.lstrip()[len(b"data:") :].removeprefix(b" ")


@dataclass(frozen=True)
class Frame:
    lines: tuple[Line, ...]
    """Without the blank one."""
    terminated: bool
    """Whether a blank line followed."""
    stop: int
    """Offset in the body of the first byte after this frame."""

    @property
    def data(self) -> tuple[bytes, ...]:
        """One value a data line."""
        return tuple(line.value for line in self.lines if line.is_data)

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
