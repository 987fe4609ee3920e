"""`.http` files: one response from its status line on, as it was on the wire or as `curl -i` prints it.

The body may have the coding that its headers name (chunked, gzip), or have it removed already: the first bytes decide. Header lines may
end with CR LF, or with LF after an editor. Interim responses (100 Continue) and a proxy's response to CONNECT are skipped.
"""

import codecs
import re
import zlib
from dataclasses import dataclass, replace
from http.client import responses

from octomil_conformance.exchange import End, Exchange, Headers
from octomil_conformance.recordings.files import AT_MOST, MAX_BYTES
from octomil_conformance.sse import BOM

STATUS_LINE = re.compile(r"HTTP/(\d)(?:\.\d)? ([1-9]\d\d)(?: .*)?")
RESPONSE = re.compile(rb"HTTP/\d(?:\.\d)? \d{3}")
HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*\r\n")
LINE_ENDS = (b"\n", b"\r\n")
"""What an editor or a shell adds at the end of a file."""
GZIP = b"\x1f\x8b"


class Malformed(ValueError):
    """The message says what was expected."""


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers
    body: bytes
    """The body without codings."""
    end: End
    problem: str = ""
    """Why `end` is "cut"."""

    def header(self, name: str) -> str:
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values).lower()


def read(data: bytes) -> Response:
    """Raises Malformed."""
    response = read_head(data)
    while _precedes_another(response):
        response = read_head(response.body)
    return _ungzipped(_framed(response))


def _precedes_another(response: Response) -> bool:
    """True for an interim response, and for a proxy's response to CONNECT."""
    if response.header("content-length") or response.header("transfer-encoding"):
        return False
    is_interim = 100 <= response.status < 200
    is_tunnel = 200 <= response.status < 300 and RESPONSE.match(response.body)
    return is_interim or bool(is_tunnel)


def read_head(data: bytes) -> Response:
    """The head, and everything after it as the body."""
    data = data.removeprefix(BOM)  # an editor may write one
    head = END_OF_HEAD.search(data)
    text = data[: head.start() if head else None].decode("latin-1")
    lines = re.split(r"\r?\n", text)
    status = STATUS_LINE.fullmatch(lines[0])
    if not status:
        raise Malformed(
            f"begins with {lines[0][:60]!r}: expected a status line, HTTP/1.1 200 OK, as curl -i prints it"
        )
    if not head:
        raise Malformed("expected a blank line between the headers and the body")
    headers = tuple(_header(line) for line in lines[1:])
    end: End = "closed" if status[1] == "1" else "unrecorded"
    return Response(int(status[2]), headers, data[head.end() :], end)


def write(exchange: Exchange) -> bytes:
    """The head as it came, and the body without codings."""
    phrase = responses.get(exchange.status, "")
    lines = [f"HTTP/1.1 {exchange.status} {phrase}".rstrip()]
    lines += [f"{name}: {value}" for name, value in exchange.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + exchange.body


def _header(line: str) -> tuple[str, str]:
    match = HEADER.fullmatch(line)
    if not match:
        raise Malformed(f"expected `Name: value`, not {line[:60]!r}, in the headers")
    return match[1], match[2]


def _framed(response: Response) -> Response:
    """The body as its framing delimits it, and whether it is complete."""
    if response.header("transfer-encoding").endswith("chunked"):
        return _unchunked(response)
    length = response.header("content-length")
    if not length:
        return response
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise Malformed(f"Content-Length: expected a number, not {length[:60]!r}")
    if response.header("content-encoding") and not response.body.startswith(GZIP):
        return replace(response, end="unrecorded")
    missing = int(length) - len(response.body)
    if missing < 0 and response.body[int(length) :] not in LINE_ENDS:
        raise Malformed(
            f"{-missing} bytes more than Content-Length: {length} says: expected one body as it was sent, or no Content-Length"
        )
    if missing <= 0:
        return replace(response, body=response.body[: int(length)], end="complete")
    problem = f"{missing} bytes less than Content-Length: {length} says"
    return replace(response, end="cut", problem=problem)


def _unchunked(response: Response) -> Response:
    """The response with its body decoded. If the body does not begin with the size of a chunk, it was decoded when it was recorded."""
    body, plain = response.body, b""
    size = SIZE.match(body)
    if not size:
        return replace(response, end="unrecorded")
    while size and int(size[1], 16):
        start = size.end()
        stop = start + int(size[1], 16)
        plain += body[start:stop]
        size = SIZE.match(body, stop + 2) if body[stop : stop + 2] == b"\r\n" else None
    last = TRAILERS.match(body, size.end()) if size else None
    if last and body[last.end() :] not in (b"", *LINE_ENDS):
        raise Malformed(f"{len(body) - last.end()} bytes after the terminating chunk")
    if last:
        return replace(response, body=plain, end="complete")
    problem = "it has no terminating chunk"
    return replace(response, body=plain, end="cut", problem=problem)


def _ungzipped(response: Response) -> Response:
    coding = response.header("content-encoding")
    if not coding or not response.body.startswith(GZIP):
        if coding not in ("", "gzip", "identity") and not _is_text(response.body):
            raise Malformed(f"its {coding} is still there: expected gzip, or no coding")
        return response
    try:
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body = decoder.decompress(response.body, MAX_BYTES)
    except zlib.error as ex:
        raise Malformed(f"its gzip is broken: {ex}") from ex
    if decoder.unconsumed_tail:
        raise Malformed(f"unpacked it is too large: {AT_MOST}")
    return replace(response, body=body)


def _is_text(body: bytes) -> bool:
    """True for UTF-8, whose last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return False
    return True
