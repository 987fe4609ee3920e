"""How much of a recording is taken into memory."""

from pathlib import Path

from octomil_conformance.config import UsageError

MOST = 64 * 1024 * 1024
"""Bytes that are judged: of a file, and of an answer out of its coding."""
AT_MOST = f"want at most {MOST} ({MOST >> 20} MiB)"


def read_bytes(path: Path) -> bytes:
    """Raises UsageError, or OSError."""
    with path.open("rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise UsageError(f"has {path.stat().st_size} bytes: {AT_MOST}")
    return data
