"""HTTP/1.1 messages (RFC 9112): the head of a request, the head of a response, and where a response's body ends. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import IncompleteRead, InvalidHeader, ProtocolError

MAX_HEAD = 64 * 1024
"""The most bytes of a response's status line and headers, and of sizes and trailers between and after its chunks."""


@dataclass(frozen=True)
class Head:
    """The status line and the headers of a response."""

    version: str
    status: int
    headers: HTTPHeaderDict

    def keeps_alive(self) -> bool:
        """True if the connection may carry another request (sections 6.3 and 9.3)."""
        if "Transfer-Encoding" in self.headers and "Content-Length" in self.headers:
            return False
        options = self.headers.get("Connection", "").lower()
        if self.version == "1.0":
            return "keep-alive" in options
        return "close" not in options


_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9]\d\d)(?= |\r?$)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FOLD = re.compile(rb"\r?\n[ \t]+")


def parse_head(data: bytes) -> Head:
    """`data` ends before the blank line. Raises ProtocolError."""
    status_line, *lines = _FOLD.sub(b" ", data).decode("latin-1").split("\n")
    found = _STATUS_LINE.match(status_line)
    if not found:
        raise ProtocolError("this is not HTTP/1")
    headers = HTTPHeaderDict()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise ProtocolError("a header is malformed")
        headers.add(name, value.strip())
    return Head(found[1], int(found[2]), headers)


_HEAD_END = re.compile(rb"\r?\n\r?\n")


def take_head(received: bytes) -> tuple[Head | None, bytes]:
    """Returns the final head at the start of `received` (None if it has not arrived) and the remaining bytes.

    Raises ProtocolError.
    """
    while end := _HEAD_END.search(received):
        head = parse_head(received[: end.start()])
        received = received[end.end() :]
        if head.status >= 200:  # a lower status announces another head
            return head, received
    if len(received) > MAX_HEAD or not b"HTTP/".startswith(received[:5]):
        raise ProtocolError("this is not the head of a response")
    return None, received


def request_head(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {url} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""])
    if not head.count("\r") == head.count("\n") == len(lines) + 1:
        raise InvalidHeader("a line end within a header")
    return head.encode("latin-1")


class Plain:
    """A body of `size` bytes, or one that ends with its connection."""

    def __init__(self, size: int | None) -> None:
        self._left = size
        self.complete = size == 0
        self.surplus = size is None
        """True if bytes came after the body, or may still come. The connection must not be used again in that case."""

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in `data`."""
        body = data[: self._left]
        if self._left is not None:
            self._left -= len(body)
            self.complete = not self._left
            self.surplus = len(body) < len(data)
        return body

    def end(self) -> None:
        """Call it when the connection has ended. Raises IncompleteRead if the body is not complete."""
        if self._left is not None:
            raise IncompleteRead(0, self._left)
        self.complete = True


# A size follows the line end of the previous chunk, or of the head.
_SIZE = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_SIZE_BEGUN = re.compile(
    rb"(?:\r(?:\n(?:[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\n]*|\r)?)?)?)?\Z"
)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_USUAL_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")


class Chunked:
    """A body in chunks (section 7.1). All chunks that have arrived are decoded together."""

    complete = surplus = False

    def __init__(self) -> None:
        self._left = 0  # bytes to come of the current chunk
        self._rest = b"\r\n"  # received, but not decoded; at first the line end that _SIZE expects

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in `data`. Raises ProtocolError for a malformed chunk."""
        return self._lone_chunk(data) or self._all_chunks(data)

    def _lone_chunk(self, data: bytes) -> bytes:
        """The content of `data` if it is exactly one chunk, else empty. For a token that arrives alone this takes a third of the time."""
        size = _USUAL_SIZE.match(data)
        if not size or self._left or self._rest != b"\r\n":
            return b""
        begin, end = size.end(), size.end() + int(size[1], 16)
        return data[begin:end] if data[end:] == b"\r\n" else b""

    def _all_chunks(self, data: bytes) -> bytes:
        data, at, pieces = self._rest + data, 0, []
        while True:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
            size = _SIZE.match(data, at)
            if not size or not (length := int(size[1], 16)):
                break
            self._left, at = length, size.end()
        self._rest = data[at:]
        if size:
            self._finish(size.end() - at)
        elif self._rest != b"\r\n" and not _SIZE_BEGUN.match(self._rest):
            raise ProtocolError("a chunk is malformed")
        if len(self._rest) > MAX_HEAD and not self.complete:
            raise ProtocolError("too much between two chunks")
        return b"".join(pieces)

    def end(self) -> None:
        raise IncompleteRead(0, self._left)

    def _finish(self, trailers: int) -> None:
        """The last chunk has arrived. The body ends with the blank line behind its trailers."""
        if end := _BLANK_LINE.search(self._rest, trailers - 1):
            self.complete = True
            self.surplus = end.end() < len(self._rest)


_LENGTH = re.compile(r"[0-9]{1,18}")


def body_decoder(head: Head) -> Plain | Chunked:
    """Finds where the body ends (section 6.3). Raises ProtocolError if the head does not say."""
    if head.status in (204, 304):
        return Plain(0)
    coding = head.headers.get("Transfer-Encoding", "identity").lower()
    # Proxies that copy headers name a coding twice, and apply it once.
    codings = {each.strip() for each in coding.split(",")}
    if codings == {"chunked"}:
        return Chunked()
    if codings != {"identity"}:  # the name of no coding in RFC 2616
        raise ProtocolError("the transfer coding is not known")
    length = head.headers.get("Content-Length")
    if length is None:
        return Plain(None)
    # Two equal headers are one, joined by a comma.
    first, *others = {size.strip() for size in length.split(",")}
    if others or not _LENGTH.fullmatch(first):
        raise ProtocolError("the length is not a number")
    return Plain(int(first))
