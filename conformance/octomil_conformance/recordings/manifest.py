"""`manifest.json` or `manifest.toml` beside recordings: what a file does not say itself. All but `file` and `endpoint` may be left out.

{"format": 1, "recordings": [{
  "file": "moon.sse", "endpoint": "stream",
  "kind": "answer",                 or "failure": the server was meant to refuse; told by the status where it is left out
  "status": 200, "headers": {"Content-Type": "text/event-stream"},
  "request": {"body": {"model_id": "m", "input_data": "Hi"}},
  "end": "complete",                or "closed", "cut": how the transfer ended; the body then is out of all codings
  "chunks": [[0.31, 57], [0.35, 61]], "seconds": 0.36}]}    arrival times and bytes of its pieces, when it ended
"""

import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octomil_conformance import __version__, spec
from octomil_conformance.config import UsageError
from octomil_conformance.exchange import End, Headers
from octomil_conformance.recordings.manifest_fields import FIELDS, told

FORMAT = 1
NAMES = ("manifest.json", "manifest.toml")


@dataclass(frozen=True)
class Entry:
    file: str
    endpoint: str
    kind: str | None = None
    status: int | None = None
    headers: Headers | None = None
    request: bytes | None = None
    """The body that was sent; empty where none was."""
    end: End | None = None
    chunks: tuple[tuple[float, int], ...] | None = None
    seconds: float | None = None
    problem: str = ""


class WrongManifest(UsageError):
    """Names the manifest itself, and the field."""


def is_ours(path: Path) -> bool:
    """Many things are called manifest.json."""
    try:
        return "recordings" in load(path)
    except (OSError, ValueError, RecursionError, TypeError):
        return False


def read(path: Path) -> dict[Path, Entry]:
    """By the path of the file. Raises WrongManifest."""
    place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    try:
        return {path.parent / each.file: each for each in entries(load(path))}
    except (OSError, ValueError, RecursionError, UsageError) as ex:
        raise WrongManifest(f"{place}: {ex}") from ex


def load(path: Path) -> Any:
    text = path.read_text("utf-8-sig")
    return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)


def entries(document: object) -> list[Entry]:
    """Raises UsageError that names the field."""
    fields = document if isinstance(document, dict) else {}
    listed = fields.get("recordings")
    if not isinstance(listed, list):
        raise UsageError(f'want {{"format": {FORMAT}, "recordings": […]}}')
    if fields.get("format", FORMAT) != FORMAT:
        raise UsageError(f"format: want {FORMAT}, not {fields['format']!r}")
    read = [entry(raw, f"recordings[{number}]") for number, raw in enumerate(listed)]
    for file, count in Counter(each.file for each in read).items():
        if count > 1:
            raise UsageError(f"{file} is listed {count} times")
    return read


def entry(raw: object, place: str) -> Entry:
    if not isinstance(raw, dict):
        raise UsageError(f"{place}: want an object")
    for key, value in raw.items():
        if key not in FIELDS:
            raise UsageError(
                f"{place}: unknown key {key!r}; known: {', '.join(FIELDS)}"
            )
        wanted, fits = FIELDS[key]
        if not fits(value):
            raise UsageError(f"{place}.{key}: want {wanted}, not {value!r}")
    for key in ("file", "endpoint"):
        if key not in raw:
            raise UsageError(f"{place}.{key} is missing: want {FIELDS[key][0]}")
    return Entry(**told(raw))


def write(entries: list[dict[str, Any]], folder: Path) -> None:
    about = {"format": FORMAT, "suite": __version__, "spec": spec.VERSION}
    listed = ",\n".join(f"  {{{_lines(entry, 3)}}}" for entry in entries)
    text = f'{{{_lines(about, 1)},\n "recordings": [\n{listed}]}}\n'
    (folder / NAMES[0]).write_text(text, "utf-8", newline="\n")


def _lines(fields: dict[str, Any], indent: int) -> str:
    """A line for each field, however long its value: an array of times is nothing to read."""
    lines = [f"{json.dumps(key)}: {json.dumps(fields[key])}" for key in fields]
    return f",\n{' ' * indent}".join(lines)


def make_folder(folder: Path) -> None:
    """Raises UsageError for one with something in it: what lies there already would be judged with the rest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as ex:
        raise UsageError(f"{folder}: want a folder: {ex.strerror}") from ex
    if not is_empty:
        raise UsageError(f"{folder}: want a new folder, or an empty one")
