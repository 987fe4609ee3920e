"""A file of one response: with its head, or a bare body, and what a manifest says about it."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

from octomil_conformance import sse
from octomil_conformance.config import PATHS, UsageError
from octomil_conformance.exchange import (
    MISSING,
    Chunk,
    End,
    Exchange,
    Fields,
    field,
    is_integer,
    items,
    read_json,
)
from octomil_conformance.recordings import http_file
from octomil_conformance.recordings.files import endpoint_in, json_in, read_bytes
from octomil_conformance.recordings.http_file import Response
from octomil_conformance.recordings.manifest import Entry
from octomil_conformance.recordings.recording import Part, Recording, request_for

KINDS = (".http", ".sse", ".json")

EXCHANGES = ({"request", "response"}, {"httpRequest", "httpResponse"})
"""Fields of recorded exchanges in files of other tools: cassettes, WireMock, Postman, MockServer."""
RESPONSES = (
    *({"status", "body"}, {"statusCode", "body"}, {"headers", "body"}),
    {"status", "statusText"},
)
"""Fields of canned responses in such files: nock, axios, and stubs of many kinds."""
OURS = {"output", "results", "backends", "usage"}
"""Fields of this API's answers, which may have any other field too."""


def read(path: Path, entry: Entry | None) -> Recording:
    """`entry` is what a manifest says about it. Raises UsageError, Malformed or OSError."""
    data = read_bytes(path)
    given = entry or Entry("", "")
    if not data and given.end != "nothing":
        raise UsageError("it is empty")
    profile = given.endpoint or _endpoint(path)
    response = _response(path, data, given, profile)
    request = request_for(profile, given.request or b"", str(path))
    exchange = Exchange(
        request,
        response.status,
        response.headers,
        _chunks(response.body, given),
        response.end,
        given.seconds or 0.0,
        given.problem or response.problem,
    )
    lacks = _lacks(path, exchange, given)
    return Recording.of(str(path), exchange, lacks, given.kind)


def _endpoint(path: Path) -> str:
    """The name decides, except for an event stream."""
    names = (path.stem, *(folder.name for folder in path.absolute().parents[:2]))
    found = "stream" if _kind(path) == ".sse" else endpoint_in(names)
    if found is None:
        raise UsageError(
            f"which endpoint is it of? expected {', '.join(PATHS)} in its name, in the name of its folder, or in a manifest.json beside it"
        )
    return found


def _response(path: Path, data: bytes, given: Entry, profile: str) -> Response:
    """The status of a bare body is 200, unless it or the manifest says otherwise."""
    end: End = given.end or "unrecorded"
    if given.end == "nothing":
        return Response(0, (), b"", end)
    if _kind(path) == ".http" and (given.status or given.headers):
        raise UsageError("status and headers belong in the file, not in the manifest")
    if _kind(path) != ".http":
        status = given.status or _status_of_envelope(data)
        if status is None:
            _require_body(path, data, profile)
        return Response(status or 200, given.headers or (), data, end)
    if given.end:
        return replace(http_file.read_head(data), end=end)
    return http_file.read(data)


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _status_of_envelope(data: bytes) -> int | None:
    """The `status_code` in a body that is an envelope, else None."""
    fields = read_json(data)
    status = field(fields, "status_code")
    if is_integer(status) and 400 <= status <= 599 and field(fields, "error"):
        return status
    return None


def _require_body(path: Path, data: bytes, profile: str) -> None:
    """Raises UsageError for a file that is no recorded body at all."""
    if _kind(path) == ".sse" and not any(frame.data for frame in sse.parse(data)):
        raise UsageError("it has no event: expected lines that begin with data:")
    if _kind(path) == ".json":
        _require_no_tool(json_in(data))
    if _kind(path) == ".json" and profile == "stream":
        raise UsageError(
            "a stream cannot be a .json: expected .sse, or a failure with its status_code"
        )


def _require_no_tool(document: object) -> None:
    """Raises UsageError for the file of another tool, which has bodies somewhere inside."""
    if field(field(document, "log"), "entries") is not MISSING:
        raise UsageError("it is a HAR: expected the extension .har")
    outer = _objects([document, *items(document)[:1]])
    outer = [each for each in outer if not OURS & each.keys()]
    inner = _objects(
        each
        for fields in outer
        for value in fields.values()
        for each in items(value)[:1]
    )
    known = [(fields, names) for fields in outer for names in RESPONSES]
    known += [(fields, names) for fields in outer + inner for names in EXCHANGES]
    for fields, names in known:
        if names <= fields.keys():
            raise UsageError(
                f"it is a file of another tool, with {' and '.join(sorted(names))}: "
                "expected a body alone, or an .http with the status and headers too"
            )


def _objects(values: Iterable[object]) -> list[Fields]:
    return [each for each in values if isinstance(each, Fields)]


def _chunks(body: bytes, given: Entry) -> tuple[Chunk, ...]:
    if given.chunks is None:
        return (Chunk(0.0, body),) if body else ()
    stops = [0, *accumulate(size for _, size in given.chunks)]
    if stops[-1] != len(body):
        raise UsageError(
            f"chunks: expected sizes of {len(body)} bytes in all, not {stops[-1]}"
        )
    return tuple(
        Chunk(at, body[start:stop])
        for (at, _), (start, stop) in zip(given.chunks, pairwise(stops), strict=True)
    )


def _lacks(path: Path, exchange: Exchange, given: Entry) -> list[Part]:
    profile = exchange.request.profile
    has_head = _kind(path) == ".http"
    known: dict[Part, bool] = {
        "status line": has_head or given.status is not None or profile != "health",
        "headers": has_head or given.headers is not None,
        "end": exchange.end != "unrecorded",
        "times": given.chunks is not None and given.seconds is not None,
        "request": given.request is not None or profile == "health",
    }
    return [part for part, is_known in known.items() if not is_known]
