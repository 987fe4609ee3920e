"""`.http` files: one answer from its status line on, as it went over the wire or as `curl -i` prints it.

The body may be in the coding that its headers name (chunked, gzip) or already out of it: tools differ, the first bytes tell. Ends of
header lines may be CR LF or, after an editor, LF. Interim answers (100 Continue) before the answer are passed over.
"""

import re
import zlib
from dataclasses import dataclass, replace
from http import HTTPStatus

from octomil_conformance.exchange import End, Exchange, Headers
from octomil_conformance.recordings.limit import AT_MOST, MOST

STATUS_LINE = re.compile(r"HTTP/(\d)(?:\.\d)? ([1-9]\d\d)(?: .*)?")
HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
TRAILERS = re.compile(rb"(?:[^\r\n]+\r\n)*\r\n")
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
"""Before a status line some editor has put it, and no server."""


class Malformed(ValueError):
    """The message says what was wanted."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes
    """Out of all codings."""
    end: End

    def header(self, name: str) -> str:
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values).lower()


def read(data: bytes) -> Answer:
    """Raises Malformed."""
    answer = read_head(data)
    while 100 <= answer.status < 200:
        answer = read_head(answer.body)
    return _ungzipped(_framed(answer))


def read_head(data: bytes) -> Answer:
    """The head, and whatever follows as the body."""
    data = data.removeprefix(BOM)
    head = END_OF_HEAD.search(data)
    text = data[: head.start() if head else None].decode("latin-1")
    lines = re.split(r"\r?\n", text)
    status = STATUS_LINE.fullmatch(lines[0])
    if not status:
        raise Malformed(
            f"begins with {lines[0][:60]!r}: want a status line, HTTP/1.1 200 OK"
        )
    if not head:
        raise Malformed("want a blank line between the headers and the body")
    headers = tuple(_header(line) for line in lines[1:])
    end: End = "closed" if status[1] == "1" else "unrecorded"
    return Answer(int(status[2]), headers, data[head.end() :], end)


def write(exchange: Exchange) -> bytes:
    """The head as it came, the body out of its codings."""
    words = {status.value: status.phrase for status in HTTPStatus}
    lines = [f"HTTP/1.1 {exchange.status} {words.get(exchange.status, '')}".rstrip()]
    lines += [f"{name}: {value}" for name, value in exchange.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + exchange.body


def _header(line: str) -> tuple[str, str]:
    match = HEADER.fullmatch(line)
    if not match:
        raise Malformed(f"want `Name: value`, not {line[:60]!r}, in the headers")
    return match[1], match[2]


def _framed(answer: Answer) -> Answer:
    """The body as its framing delimits it, and whether all of it is there."""
    if answer.header("transfer-encoding").endswith("chunked"):
        return _unchunked(answer)
    length = answer.header("content-length")
    if not length:
        return answer
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise Malformed(f"Content-Length: want a number, not {length[:60]!r}")
    if answer.header("content-encoding") and not answer.body.startswith(GZIP):
        return replace(answer, end="unrecorded")
    missing = int(length) - len(answer.body)
    if missing < 0:
        raise Malformed(f"{-missing} bytes more than Content-Length: {length} says")
    return replace(answer, end="cut" if missing else "complete")


def _unchunked(answer: Answer) -> Answer:
    """A body that does not begin with the size of a chunk has left the coding already."""
    body, plain = answer.body, b""
    size = SIZE.match(body)
    if not size:
        return replace(answer, end="unrecorded")
    while size and int(size[1], 16):
        start = size.end()
        stop = start + int(size[1], 16)
        plain += body[start:stop]
        size = SIZE.match(body, stop + 2) if body[stop : stop + 2] == b"\r\n" else None
    last = TRAILERS.match(body, size.end()) if size else None
    if last and last.end() < len(body):
        raise Malformed(f"{len(body) - last.end()} bytes after the terminating chunk")
    return replace(answer, body=plain, end="complete" if last else "cut")


def _ungzipped(answer: Answer) -> Answer:
    if not answer.header("content-encoding") or not answer.body.startswith(GZIP):
        return answer
    try:
        decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        body = decoder.decompress(answer.body, MOST)
    except zlib.error as ex:
        raise Malformed(f"its gzip is broken: {ex}") from ex
    if decoder.unconsumed_tail:
        raise Malformed(f"unpacked it has more bytes: {AT_MOST}")
    return replace(answer, body=body)
