"""`manifest.json` or `manifest.toml` beside recordings: what a file does not say itself. Only `file` and `endpoint` are required.

{"format": 1, "recordings": [{
  "file": "moon.sse", "endpoint": "stream",
  "kind": "answer",                 or "failure": the server was meant to refuse; without it the status decides
  "status": 200, "headers": {"Content-Type": "text/event-stream"},
  "request": {"body": {"model_id": "m", "input_data": "Hi"}},
  "end": "complete",                or "closed", "cut": how the transfer ended; the body is then without codings
  "chunks": [[0.31, 57], [0.35, 61]], "seconds": 0.36}]}    arrival times and sizes of the pieces, and when the transfer ended
"""

import json
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard, get_args
from urllib.parse import urlsplit

from octomil_conformance import __version__, spec
from octomil_conformance.config import PATHS, UsageError
from octomil_conformance.exchange import End, Exchange, Headers, Json, is_integer
from octomil_conformance.wire.common import is_latency

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
    """The body that was sent; empty if there was none."""
    end: End | None = None
    chunks: tuple[tuple[float, int], ...] | None = None
    seconds: float | None = None
    problem: str = ""


class WrongManifest(UsageError):
    """The message names the manifest, and the field."""


def is_ours(path: Path) -> bool:
    """False for a manifest.json of something else."""
    try:
        return "recordings" in load(path)
    except (OSError, ValueError, TypeError):
        return False


def read(path: Path) -> dict[Path, Entry]:
    """The entries by the path of their file. Raises WrongManifest."""
    place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    try:
        return {path.parent / each.file: each for each in entries(load(path))}
    except (OSError, ValueError, UsageError) as ex:
        raise WrongManifest(f"{place}: {ex}") from ex


def load(path: Path) -> Any:
    text = path.read_text("utf-8-sig")
    try:
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except RecursionError as ex:
        raise ValueError("nested too deeply") from ex


def entries(document: object) -> list[Entry]:
    """Raises UsageError that names the field."""
    fields = document if isinstance(document, dict) else {}
    listed = fields.get("recordings")
    if not isinstance(listed, list):
        raise UsageError(f'expected {{"format": {FORMAT}, "recordings": […]}}')
    if fields.get("format", FORMAT) != FORMAT:
        raise UsageError(f"format: expected {FORMAT}, not {fields['format']!r}")
    read = [entry(raw, f"recordings[{number}]") for number, raw in enumerate(listed)]
    for file, count in Counter(each.file for each in read).items():
        if count > 1:
            raise UsageError(f"{file} is listed {count} times")
    return read


def entry(raw: object, place: str) -> Entry:
    if not isinstance(raw, dict):
        raise UsageError(f"{place}: expected an object")
    found = {}
    for key, value in raw.items():
        if key not in FIELDS:
            raise UsageError(
                f"{place}: unknown key {key!r}; known: {', '.join(FIELDS)}"
            )
        wanted, fits, read = FIELDS[key]
        if not fits(value):
            raise UsageError(f"{place}.{key}: expected {wanted}, not {value!r}")
        if key not in COMMENTS:
            found[key] = read(value)
    for key in ("file", "endpoint"):
        if key not in raw:
            raise UsageError(f"{place}.{key} is missing: expected {FIELDS[key][0]}")
    return Entry(**found)


def described(file: str, exchange: Exchange) -> Json:
    """The entry of a file with an answer: what the file does not say itself."""
    request = exchange.request
    asked: Json = {"method": request.method, "path": urlsplit(request.url).path}
    return {
        "file": file,
        "endpoint": request.profile,
        "kind": "answer",
        "request": asked | ({"body": request.fields} if request.body else {}),
        "end": exchange.end,
        "chunks": [[chunk.at, len(chunk.data)] for chunk in exchange.chunks],
        "seconds": exchange.seconds,
        "problem": exchange.problem,
    }


def write(entries: list[Json], folder: Path) -> None:
    about = {"format": FORMAT, "suite": __version__, "spec": spec.VERSION}
    listed = ",\n".join(f"  {{{_lines(entry, 3)}}}" for entry in entries)
    text = f'{{{_lines(about, 1)},\n "recordings": [\n{listed}]}}\n'
    (folder / NAMES[0]).write_text(text, "utf-8", newline="\n")


def _lines(fields: Json, indent: int) -> str:
    """One line for each field, however long its value."""
    lines = [f"{json.dumps(key)}: {json.dumps(fields[key])}" for key in fields]
    return f",\n{' ' * indent}".join(lines)


def make_folder(folder: Path) -> None:
    """Raises UsageError if the folder is not empty: what is there would be judged with the rest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as ex:
        raise UsageError(f"{folder}: expected a folder: {ex.strerror}") from ex
    if not is_empty:
        raise UsageError(f"{folder}: expected a new folder, or an empty one")


def _is_inside(value: object) -> bool:
    path = PurePosixPath(value) if isinstance(value, str) else PurePosixPath("/")
    is_plain = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    return is_plain and "\\" not in str(value)


def _is_headers(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(each, str) for each in value.values())
    return isinstance(value, list) and all(
        _is_pair(pair) and all(isinstance(each, str) for each in pair) for pair in value
    )


def _is_chunks(value: object) -> bool:
    return isinstance(value, list) and all(
        _is_pair(pair) and is_latency(pair[0]) and is_integer(pair[1]) and pair[1] > 0
        for pair in value
    )


def _is_pair(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == 2


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_status(value: object) -> bool:
    return is_integer(value) and 200 <= value <= 599


def _headers(value: dict[str, str] | list[list[str]]) -> Headers:
    pairs = value.items() if isinstance(value, dict) else value
    return tuple((name, text) for name, text in pairs)


def _request(value: Json) -> bytes:
    return json.dumps(value["body"]).encode() if "body" in value else b""


def _chunks(value: list[list[float]]) -> tuple[tuple[float, int], ...]:
    return tuple((float(at), int(size)) for at, size in value)


def _same(value: Any) -> Any:
    return value


Field = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
"""What a field has to be, in words and as a function, and what reads it."""


def _one_of(*values: str) -> Field:
    return f"one of {', '.join(values)}", lambda value: value in values, _same


FIELDS: dict[str, Field] = {
    "file": ("a path below the manifest's folder, with / in it", _is_inside, _same),
    "endpoint": _one_of(*PATHS),
    "kind": ("answer or failure", lambda value: value in ("answer", "failure"), _same),
    "status": ("an integer from 200 to 599", _is_status, _same),
    "headers": ("an object of strings, or pairs of them", _is_headers, _headers),
    "request": ("an object with a body", _is_object, _request),
    "end": _one_of(*get_args(End)),
    "chunks": ("pairs of seconds and a number of bytes", _is_chunks, _chunks),
    "seconds": ("a number, zero or more", is_latency, _same),
    "problem": ("a string", lambda value: isinstance(value, str), _same),
    "expected": ("an object", _is_object, _same),
}
COMMENTS = ("expected",)
"""Fields that `export` writes for the readers of its corpus. They say nothing about a recording."""
