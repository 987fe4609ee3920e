"""Markdown that what stands in it cannot change: every text is escaped here, and nowhere else."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from octomil_conformance.report.redact import redact
from octomil_conformance.report.unseen import named

CELL = 300
"""Characters of one text."""
MOST = 500_000
"""Bytes of a table. GitHub drops a job's summary of more than 1 MiB as a whole, and others may write into the same file."""
MEANING = re.compile(r"[^\w ,;+…–]|_")
"""Whatever is no letter or digit can mean something to Markdown or HTML, in one place or another."""


def plain(text: str, token: str | None = None) -> str:
    """Text and nothing but text. Lines are kept, what is too long is cut."""
    masked = redact(text, token)
    left = len(masked) - CELL
    shown = f"{masked[:CELL]}… ({left} more characters)" if left > 0 else masked
    escaped = MEANING.sub(lambda each: f"&#{ord(each[0])};", named(shown))
    return escaped.replace("&#10;", "<br>")


def code(text: str, token: str | None = None) -> str:
    """The same, not read for links and names of people either."""
    return f"<code>{plain(text, token)}</code>" if text else ""


def ours(text: str) -> str:
    """The spec's words, which are Markdown already, for a cell."""
    return text.replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Of cells that are Markdown already. As many rows as there is room for."""
    lines = [_line(head), _line(["---"] * len(head))]
    size, left_out = 0, 0
    for row in rows:
        line = _line(row)
        size += len(line.encode())
        if size > MOST:
            left_out += 1
        else:
            lines.append(line)
    more = f"\n\n… {left_out} more rows: see the other reports." if left_out else ""
    return "\n".join(lines) + more


def append(text: str, path: Path) -> None:
    """At the end of the file: it may be the summary of a job, in which somebody has written before."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
