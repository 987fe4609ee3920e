"""Records what a server answers to the requests of level 0, in files that can be read, and judged again without the server."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from octomil_conformance import api
from octomil_conformance.config import Config, UsageError
from octomil_conformance.exchange import Chunk, Exchange
from octomil_conformance.preflight import ready
from octomil_conformance.recordings import http_file, manifest
from octomil_conformance.report.redact import redact, redact_pieces
from octomil_conformance.report.transcript import shown_headers


def specimens(config: Config) -> list[Exchange]:
    """The answers that level 0 judges, without the token. Raises UsageError or CouldNotTest."""
    profiles = [name for name in config.claims if name != "auth"]
    if not profiles:
        raise UsageError("nothing to record: profile auth has no endpoint")
    with ready(config) as target:
        seen = [each for profile in profiles for each in api.specimens(target, profile)]
    return [without_token(exchange, config.token) for exchange in seen]


def without_token(exchange: Exchange, token: str | None) -> Exchange:
    pieces = redact_pieces([chunk.data for chunk in exchange.chunks], token)
    chunks = [
        Chunk(chunk.at, data)
        for chunk, data in zip(exchange.chunks, pieces, strict=True)
    ]
    headers = [
        (name, _redacted(value, token))
        for name, value in shown_headers(exchange.headers)
    ]
    return replace(
        exchange,
        headers=tuple(headers),
        chunks=tuple(chunk for chunk in chunks if chunk.data),
        problem=redact(exchange.problem, token),
    )


def _redacted(value: str, token: str | None) -> str:
    """The redacted value of a header, which was read as Latin-1."""
    return redact_pieces([value.encode("latin-1")], token)[0].decode("latin-1")


def write(exchanges: list[Exchange], folder: Path) -> list[Path]:
    """Writes the recordings, and then the manifest."""
    counts: Counter[str] = Counter()
    entries, files = [], []
    for exchange in exchanges:
        profile = exchange.request.profile or ""
        counts[profile] += 1
        file = folder / f"{profile}-{counts[profile]}.http"
        file.write_bytes(http_file.write(exchange) if exchange.status else b"")
        files.append(file)
        entries.append(manifest.described(file.name, exchange))
    manifest.write(entries, folder)
    return files
