"""Any bytes of an upstream: the pieces do not depend on how the bytes are split, and garbage raises UpstreamError."""

import io
import itertools
import json
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import json_values
from octomil_conformance.backend import scripts
from urllib3.exceptions import ProtocolError

from octomil_ref.backends import Ending, Reasoning, Token, ollama, openai
from octomil_ref.backends.adapting import refused
from octomil_ref.backends.framing import Chunked
from octomil_ref.backends.http import Upstream, UpstreamResponse
from octomil_ref.backends.reading import (
    StreamedAnswer,
    in_order,
    readable,
    whole_answer,
)
from octomil_ref.backends.refusals import error_in_answer, error_of_response
from octomil_ref.clients import NOBODY
from octomil_ref.clock import Deadline
from octomil_ref.errors import UpstreamError

TIMEOUT = 60.0


class Received:
    """Stands for the answer of requests: its body arrives in these pieces."""

    def __init__(self, pieces, status=200):
        self.status_code = status
        self.headers = {}
        self.raw = self
        self._pieces = iter(pieces)

    def read1(self, size, decode):
        return next(self._pieces, b"")

    def close(self):
        """Does nothing: there is no connection."""


def answer(*pieces, status=200):
    sender = Upstream("ollama", "http://upstream.test", {}, TIMEOUT)
    received = Received([*pieces], status)
    return UpstreamResponse(sender, received, NOBODY, Deadline(TIMEOUT))


def cut(data, places):
    """`data` in pieces, none of them empty."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


CUTS = st.lists(st.integers(min_value=0), max_size=10)

# Values of all shapes under the names that the dialects look for.
NAMES = [
    *("message", "content", "thinking", "done", "done_reason", "error", "choices"),
    *("delta", "finish_reason", "usage", "reasoning", "prompt_tokens", "code"),
    *("prompt_eval_count", "eval_count", "completion_tokens", "embeddings"),
]
VALUES = json_values(NAMES, ["stop", "length"], max_leaves=12)


def line_of(value):
    return json.dumps(value).encode()


ollama_lines = st.one_of(
    st.text().map(lambda text: line_of({"message": {"content": text}, "done": False})),
    st.just(line_of({"message": {"content": ""}, "done": True, "eval_count": 3})),
    VALUES.map(line_of),
    st.binary(max_size=20),
)
openai_lines = st.one_of(
    st.text().map(lambda text: line_of({"choices": [{"delta": {"content": text}}]})),
    st.just(line_of({"choices": [{"delta": {}, "finish_reason": "stop"}]})),
    st.just(line_of({"choices": [], "usage": {"prompt_tokens": 1}})),
    VALUES.map(line_of),
    st.sampled_from([b"[DONE]", b"", b"null"]),
).map(b"data: ".__add__) | st.one_of(
    st.sampled_from([b"", b": comment", b"event: error", b"\xff", b"\xef\xbb\xbf"]),
    VALUES.map(line_of),
    VALUES.map(line_of).map(b"error: ".__add__),
)

DIALECTS = {
    "ollama": (ollama, ollama_lines, scripts.OLLAMA),
    "openai": (openai, openai_lines, scripts.OPENAI),
}
"""A dialect, lines of all kinds, and what writes good ones."""


def read(dialect, pieces):
    """All pieces of a stream, and how it ended."""
    found = []
    stream = StreamedAnswer(answer(*pieces), dialect._Lines(()), TIMEOUT)
    try:
        for together in stream:
            assert together
            found += together
    except UpstreamError as ex:
        return found, f"{type(ex).__name__}: {ex.message}"
    return found, "complete"


@pytest.mark.parametrize("name", DIALECTS)
def test_a_stream_of_anything_ends_well_or_as_an_upstream_error(name):
    dialect, lines, _ = DIALECTS[name]

    @given(st.lists(lines, max_size=8), st.sampled_from([b"\n", b"\r\n"]), CUTS)
    def check(lines, line_end, places):
        data = b"".join(line + line_end for line in lines)

        pieces, end = read(dialect, cut(data, places))

        assert (pieces, end) == read(dialect, cut(data, []))
        *inner, last = pieces or [None]
        assert isinstance(last, Ending) == (end == "complete")
        assert all(isinstance(piece, Token | Reasoning) for piece in inner)
        for piece in pieces:
            assert not isinstance(piece, Token) or piece.text.encode()

    check()


@pytest.mark.parametrize("name", DIALECTS)
def test_what_arrives_in_pieces_is_what_was_sent(name):
    dialect, _, writer = DIALECTS[name]

    @given(st.lists(st.text(min_size=1), max_size=8), CUTS)
    def check(texts, places):
        data = b"".join(map(writer.token, texts)) + writer.ending("stop", len(texts))

        pieces, end = read(dialect, cut(data, places))

        assert end == "complete"
        assert [piece.text for piece in pieces[:-1]] == texts

    check()


@given(st.binary() | VALUES.map(line_of), CUTS)
def test_a_whole_answer_of_anything_is_json_or_an_upstream_error(data, places):
    try:
        with whole_answer(answer(*cut(data, places))) as value:
            assert json.dumps(value)
    except UpstreamError:
        pass


@given(
    st.integers(min_value=300, max_value=599),
    st.binary() | VALUES.map(line_of) | st.text().map(str.encode),
    st.none() | st.text(st.characters(codec="latin-1")),
)
@example(500, b"[" * 100_000, None)
@example(400, b'{"error": "\\ud800"}', "1\xb2")
def test_any_failure_of_an_upstream_is_one_of_ours(status, body, retry_after):
    failure = error_of_response("ollama", status, body, retry_after)

    assert 400 <= failure.status < 600
    assert all(0 <= int(value) <= 86400 for value in failure.headers.values())
    assert "\n" not in failure.message and "\r" not in failure.message


@given(VALUES)
def test_any_error_inside_of_an_answer_is_one_of_ours(value):
    failure = error_in_answer("ollama", {"error": value})

    assert 400 <= failure.status < 600


@given(st.lists(openai_lines, max_size=5).map(b"\n".join) | VALUES.map(line_of))
def test_a_whole_answer_of_anything_has_text_and_an_ending_or_is_an_error(data):
    try:
        with readable(answer()):
            text, ending = openai._read_whole(data, ())
    except UpstreamError:
        return
    assert isinstance(text, str)
    assert isinstance(ending, Ending)


@given(st.lists(VALUES, max_size=3))
def test_vectors_of_anything_are_as_many_as_the_items_or_an_error(items):
    try:
        with readable(answer()):
            found = in_order(items)
    except UpstreamError:
        return
    assert len(found) == len(items)


@given(st.text(), st.lists(st.text() | st.sampled_from(NAMES)), st.booleans())
def test_what_an_upstream_blames_is_something_that_it_was_sent(said, names, ours):
    changes = refused(f"unsupported: {said}", names, names if ours else ())

    assert set(changes) <= set(names)


# Chunks, against the standard library's reading of the same bytes


class _Socket:
    def __init__(self, data):
        self._data = data

    def makefile(self, mode):
        return io.BytesIO(self._data)


def standard_reading(body):
    """The body as http.client reads it. None if the chunks are malformed or cut off."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = HTTPResponse(_Socket(head + body))
    response.begin()
    try:
        return response.read()
    except (HTTPException, ValueError):
        return None


size_lines = st.builds(
    lambda size, form, extension: form % size + extension + b"\r\n",
    st.integers(min_value=0, max_value=9),
    st.sampled_from([b"%x", b"%X", b"0%x", b"%x ", b"+%x", b"-%x", b"0x%x", b"%d_0"]),
    st.sampled_from([b"", b";a=b", b"; a", b";"]),
)
good_chunks = st.binary(min_size=1, max_size=40).map(
    lambda data: b"%x\r\n%b\r\n" % (len(data), data)
)
chunk_bytes = st.lists(
    good_chunks | size_lines | st.sampled_from([b"\r\n", b"0\r\n\r\n", b"a", b"\n"]),
    max_size=6,
).map(b"".join)


def own_reading(pieces):
    """The body as `Chunked` reads it. None if the chunks are malformed or cut off."""
    body, read = Chunked(), b""
    for piece in pieces:
        try:
            read += body.feed(piece)
        except ProtocolError:
            return None
        if body.complete:
            return read
    return None


@given(chunk_bytes | st.binary())
@example(b"3\r\nab\r\n0\r\n\r\n")
def test_chunks_that_are_read_to_their_end_are_read_as_the_standard_library_does(sent):
    read = own_reading([sent])

    assert read is None or read == standard_reading(sent)


@given(chunk_bytes, CUTS)
def test_chunks_are_read_in_one_way_however_they_are_cut(sent, places):
    assert own_reading(cut(sent, places)) == own_reading([sent])
