"""The corpus as plain files and one manifest: in the form of recordings, so that `octomil-conformance fixtures` reads it as well."""

from pathlib import Path
from typing import Any

from octomil_conformance.config import BASE_PATH, PATHS
from octomil_conformance.corpus import (
    answers,
    broken_answers,
    broken_stream_values,
    broken_streams,
    stream_values,
    streams,
)
from octomil_conformance.corpus.entry import ARRIVED, ASKED, Entry
from octomil_conformance.corpus.reading import reading
from octomil_conformance.recordings import manifest

CORPUS = (
    *streams.VALID,
    *stream_values.VALID,
    *answers.VALID,
    *broken_streams.BROKEN,
    *broken_stream_values.BROKEN,
    *broken_answers.BROKEN,
)


def export(folder: Path) -> tuple[int, int]:
    """How many valid and how many invalid ones were written."""
    for entry in CORPUS:
        file = folder / entry.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.body)
    manifest.write([described(entry) for entry in CORPUS], folder)
    invalid = sum(bool(entry.breaks) for entry in CORPUS)
    return len(CORPUS) - invalid, invalid


def described(entry: Entry) -> dict[str, Any]:
    """As the manifest has it. What a client should make of it stands in `expected`."""
    asked = entry.asked or ASKED[entry.endpoint]
    request = {
        "method": "GET" if entry.endpoint == "health" else "POST",
        "path": BASE_PATH + PATHS[entry.endpoint],
    }
    return {
        "file": entry.file,
        "endpoint": entry.endpoint,
        "kind": "failure" if entry.is_failure else "answer",
        "request": request | ({"body": asked} if asked else {}),
        "status": entry.status,
        "headers": [list(pair) for pair in entry.all_headers],
        "end": entry.end,
        "chunks": [[ARRIVED, len(entry.body)]],
        "seconds": entry.seconds,
        "expected": {
            "valid": not entry.breaks,
            "about": entry.about,
            "breaks": list(entry.breaks),
            "force": entry.force,
            **reading(entry),
        },
    }
