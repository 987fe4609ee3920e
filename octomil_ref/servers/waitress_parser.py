"""Requests as waitress reads them, but in one way alone (RFC 9112): what a proxy in front may take for another request, or
for two, is refused, and its connection ends."""

import re

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest

SIZE_LINE = re.compile(rb"[0-9a-fA-F]{1,16}(;[^\r\n]*)?\r\n")

TRAILER = re.compile(rb"([^\s:]+:[^\r\n]*\r\n)*(\r\n?)?")

MAX_LINE = 4096
"""Bytes of the line with a chunk's size."""

MAX_TRAILER = 65536
"""Bytes behind the last chunk. waitress looks through all that it has for each piece that arrives."""


class StrictParser(HTTPRequestParser):
    def parse_header(self, header_plus: bytes) -> None:
        """Raises ParsingError, which is answered by a 400."""
        _, *fields = header_plus.split(b"\r\n")
        if any(field[:1] in (b" ", b"\t") for field in fields):
            raise ParsingError("A header field stands on one line")  # section 5.2
        if header_plus.startswith(b"CONNECT "):
            # Behind it another protocol may follow, and no request (RFC 9110 section 9.3.6).
            raise ParsingError("There is nothing to connect to")
        super().parse_header(header_plus)
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("The version must be HTTP/1.1 or HTTP/1.0")
        if len(_values(b"host", fields)) > 1:
            raise ParsingError("There is more than one Host")  # section 3.2
        if codings := _values(b"transfer-encoding", fields):
            self._require_one_framing(codings, bool(_values(b"content-length", fields)))

    def _require_one_framing(self, codings: list[bytes], has_length: bool) -> None:
        """Sections 6.1 and 6.3 let a server refuse what it could also try to understand."""
        if self.version == "1.0" or has_length or codings != [b"chunked"]:
            raise ParsingError("Where the body ends is not clear")
        assert isinstance(self.body_rcv, ChunkedReceiver)
        self.body_rcv = StrictChunks(self.body_rcv.getbuf())


def _values(name: bytes, fields: list[bytes]) -> list[bytes]:
    """In small letters, one for each time that the field is there."""
    parts = [field.lower().partition(b":") for field in fields]
    return [value.strip(b" \t") for field, _, value in parts if field == name]


class StrictChunks(ChunkedReceiver):
    """Takes no line feed alone for the end of a line, no blank line before a size, and no line without end (section 7.1)."""

    def received(self, s: bytes) -> int:
        taken = 0
        while taken < len(s) and not self.completed and not self.error:
            taken += self._received_part(s[taken:])
        return taken

    def _received_part(self, data: bytes) -> int:
        """One line, or what belongs to one chunk."""
        if self.chunk_remainder:
            return super().received(data[: self.chunk_remainder])
        if self.validate_chunk_end:
            return super().received(data[: 2 - len(self.chunk_end)])
        if self.all_chunks_received:
            return self._received_trailer(data)
        line, end, _ = data.partition(b"\n")
        return self._received_size(line + end)

    def _received_size(self, data: bytes) -> int:
        line = self.control_line + data
        if len(line) > MAX_LINE or (
            data[-1:] == b"\n" and not SIZE_LINE.fullmatch(line)
        ):
            self.error = BadRequest("Invalid chunk size")
        return super().received(data)

    def _received_trailer(self, data: bytes) -> int:
        taken = super().received(data)
        whole = not self.completed or TRAILER.fullmatch(self.trailer)
        if not whole or len(self.trailer) > MAX_TRAILER:
            self.error = BadRequest("Invalid trailer")
        return taken
