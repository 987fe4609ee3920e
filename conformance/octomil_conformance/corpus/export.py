"""The corpus as plain files and one manifest, in the form of recordings: `octomil-conformance fixtures` reads it, too."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from octomil_conformance.corpus.answers import ANSWERS
from octomil_conformance.corpus.derived import derived
from octomil_conformance.corpus.entry import Entry
from octomil_conformance.corpus.streams import STREAMS
from octomil_conformance.exchange import Json
from octomil_conformance.recordings import manifest
from octomil_conformance.wire.common import strict_json

LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r)")


@cache
def corpus() -> tuple[Entry, ...]:
    return (*derived(), *STREAMS, *ANSWERS)


def export(folder: Path) -> tuple[int, int]:
    """Returns how many valid and how many invalid answers were written."""
    for entry in corpus():
        file = folder / entry.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.exchange.body)
    manifest.write([described(entry) for entry in corpus()], folder)
    invalid = sum(bool(entry.breaks) for entry in corpus())
    return len(corpus()) - invalid, invalid


def described(entry: Entry) -> Json:
    """The entry for the manifest. `expected` has what a client should read."""
    return {
        **manifest.described(entry.file, entry.exchange),
        "kind": "failure" if entry.is_failure else "answer",
        "status": entry.exchange.status,
        "headers": [list(pair) for pair in entry.exchange.headers],
        "expected": {
            "valid": not entry.breaks,
            "about": entry.about,
            "breaks": list(entry.breaks),
            "force": entry.force,
            **reading(entry),
        },
    }


def reading(entry: Entry) -> Json:
    """The result for a client that follows the standards: server-sent events of HTML, and strict JSON.

    Of a stream: its tokens that are not empty and its first final event; of other answers: the JSON. Null if there is none.
    """
    if not entry.is_stream:
        return {
            "fields": strict(entry.exchange.body.decode("utf-8", "surrogateescape"))
        }
    values = [strict(text) for text in events(entry.exchange.body)]
    objects = [value for value in values if isinstance(value, dict)]
    tokens = [value.get("token") for value in objects]
    finals = [value for value in objects if value.get("done") is True]
    return {
        "tokens": [token for token in tokens if isinstance(token, str) and token],
        "final": next(iter(finals), None),
    }


def events(body: bytes) -> list[str]:
    """The data of each event. An event without a blank line at its end does not count."""
    found, data = [], ""
    for line in LINE.findall(body.decode("utf-8", "replace").removeprefix("\ufeff")):
        name, _, value = line.partition(":")
        if name == "data":
            data += value.removeprefix(" ") + "\n"
        elif not line and data:
            found.append(data.removesuffix("\n"))
            data = ""
    return found


def strict(text: str) -> Any:
    """The JSON value; None if it is not JSON."""
    try:
        text.encode()
        return strict_json(text)
    except ValueError:
        return None
