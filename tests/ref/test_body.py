"""A request's body: its media type, its size, and draining the body of a refused request."""

import io
from collections.abc import Callable

import falcon
import falcon.testing
import pytest

from octomil_ref import body
from octomil_ref.body import drain, read_json
from octomil_ref.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

JSON_TYPES = [
    "application/json",
    "APPLICATION/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/json; charset=utf8",
    "application/json; profile=x",
    'application/json;"' + ";" * 60_000,
]

OTHER_TYPES = [
    None,
    "",
    ";",
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonl",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
]


class Input:
    """The input of a WSGI server: reading gives bytes, raises an exception or calls a function, one after the other."""

    def __init__(self, *pieces: bytes | Exception | Callable[[], object]) -> None:
        self._pieces = list(pieces)
        self.taken = 0

    def read(self, size: int) -> bytes:
        if size == 0:
            return b""
        while self._pieces and callable(self._pieces[0]):
            self._pieces.pop(0)()
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        self.taken += len(piece)
        return piece


def posted(**environ: object) -> falcon.Request:
    headers = {"Content-Type": "application/json"}
    given = falcon.testing.create_environ(method="POST", headers=headers)
    return falcon.Request(given | environ)


def sized(body: bytes, length: int | None = None) -> falcon.Request:
    """A request with a Content-Length, which is `length` or the true one."""
    announced = str(len(body) if length is None else length)
    return posted(**{"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": announced})


def chunked(*pieces: bytes | Exception | Callable[[], object]) -> falcon.Request:
    """A request without a Content-Length, whose input the server ends."""
    return posted(**{"wsgi.input": Input(*pieces), "wsgi.input_terminated": True})


def typed(content_type: str | None) -> falcon.Request:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return falcon.testing.create_req(method="POST", body="{}", headers=headers)


@pytest.mark.parametrize("content_type", JSON_TYPES, ids=lambda given: given[:40])
def test_a_body_is_accepted_with_media_type(content_type):
    assert read_json(typed(content_type), 100) == {}


@pytest.mark.parametrize("content_type", OTHER_TYPES)
def test_a_body_is_refused_with_media_type(content_type):
    with pytest.raises(UnsupportedMediaType, match="'Content-Type: application/json'"):
        read_json(typed(content_type), 100)


READ = {
    "with a length": (lambda: sized(b'{"a": [1]}'), {"a": [1]}),
    "before more bytes": (lambda: sized(b'{"a": 1}POST / HTTP/1.1', 8), {"a": 1}),
    "in chunks": (lambda: chunked(b'{"a"', b": ", b"1}"), {"a": 1}),
    "as large as the limit": (lambda: sized(b"[1]".ljust(20)), [1]),
    "in chunks, as large as the limit": (lambda: chunked(b"[", b"1]".ljust(19)), [1]),
}
EMPTY = "the body is empty, expected a JSON object"
REFUSED = {
    "no chunk": (chunked, EMPTY),
    "an empty chunk": (lambda: chunked(b""), EMPTY),
    "a length of 0": (lambda: sized(b""), EMPTY),
    "a length that is not reached": (
        lambda: sized(b"[1]", 4),
        "the body is shorter than announced",
    ),
}


@pytest.mark.parametrize("request_, value", READ.values(), ids=READ)
def test_a_body_is_read(request_, value):
    assert read_json(request_(), 20) == value


@pytest.mark.parametrize("request_, message", REFUSED.values(), ids=REFUSED)
def test_a_body_is_refused_with(request_, message):
    with pytest.raises(BadRequest, match=message):
        read_json(request_(), 20)


def test_the_error_for_invalid_json_says_where_it_is_wrong():
    with pytest.raises(BadRequest) as caught:
        read_json(sized(b'{"a": oops}'), 100)

    said = "the body is not valid JSON: Expecting value at line 1 column 7."
    assert caught.value.message == f"Validation failed: {said}"


def test_a_body_with_a_length_over_the_limit_is_refused_unread():
    req = sized(b"[1, 2, 3]", length=7)

    with pytest.raises(PayloadTooLarge, match="The body has more than 6 bytes."):
        read_json(req, 6)

    assert req.stream.tell() == 0


def test_a_chunked_body_is_refused_as_soon_as_it_exceeds_the_limit():
    req = chunked(b"[1,", b" 2, ", b"3]")

    with pytest.raises(PayloadTooLarge, match="The body has more than 6 bytes."):
        read_json(req, 6)

    assert req.stream.taken == 7


def test_a_body_that_breaks_off_is_a_bad_request_without_details():
    req = chunked(b"[1,", OSError("10.0.0.7 reset"))

    with pytest.raises(BadRequest) as caught:
        read_json(req, 100)

    assert caught.value.message == "Validation failed: the body did not arrive whole."


def test_a_body_with_a_length_is_drained_to_its_end():
    req = sized(b"[1, 2, 3]POST / HTTP/1.1", length=9)

    drain(req)

    assert req.stream.tell() == 9


DRAINED = {
    "to its end": ([b"a" * 10, b"b" * 4], 14),
    "to the limit of bytes": ([b"a" * 10, b"b" * 10, b"c" * 10], 20),
    "until it breaks off": ([b"a", OSError("reset"), b"b"], 1),
}


@pytest.mark.parametrize("pieces, taken", DRAINED.values(), ids=DRAINED)
def test_a_chunked_body_is_drained(monkeypatch, pieces, taken):
    monkeypatch.setattr(body, "DRAIN_MAX_BYTES", 15)
    req = chunked(*pieces)

    drain(req)

    assert req.stream.taken == taken


def test_draining_stops_after_its_timeout(clock):
    req = chunked(b"a", lambda: clock.advance(6), b"b", b"c")

    drain(req)

    assert req.stream.taken == 2
