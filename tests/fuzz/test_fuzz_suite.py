"""The conformance suite judges any bytes as an answer, without an error of its own."""

import json

from hypothesis import example, given
from hypothesis import strategies as st
from json_values import json_values
from octomil_conformance import schemas, sse, wire
from octomil_conformance.exchange import Chunk, Exchange, Request
from octomil_conformance.expect import Finding, evidence

NAMES = [
    *("output", "latency_ms", "provider", "model_id", "usage", "finish_reason"),
    *("token", "done", "session_id", "results", "index", "error", "message"),
    *("data", "embedding", "embeddings", "model", "object", "status", "backends"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "inputs", "input"),
    *("succeeded", "failed", "status_code"),
]
VALUES = json_values(NAMES, ["ok", "stop", 10**400, -(10**400)])
JSON = VALUES.map(json.dumps).map(str.encode)
EVENTS = st.lists(
    st.builds(
        lambda start, data, end: start + data + end,
        st.sampled_from([b"data: ", b"data:", b" data: ", b"event: ", b":", b""]),
        JSON | st.binary(max_size=10) | st.just(b"[DONE]"),
        st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n", b"\r", b""]),
    )
).map(b"".join)
BODIES = JSON | EVENTS | st.binary()

HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Type", "content-type", "Cache-Control", "X-A"]),
        st.sampled_from(["application/json", "text/event-stream", "no-cache"])
        | st.text(),
    ),
    max_size=4,
).map(tuple)

EXCHANGES = st.builds(
    lambda profile, asked, status, headers, pieces, end: Exchange(
        Request("POST", "http://server.test/", (), asked, profile),
        status,
        headers,
        tuple(Chunk(float(at), piece) for at, piece in enumerate(pieces)),
        end,
        float(len(pieces)),
    ),
    st.sampled_from(["infer", "stream", "batch", "embed", "health", None]),
    BODIES,
    st.sampled_from([0, 200, 400, 503]),
    HEADERS,
    st.lists(BODIES, max_size=3),
    st.sampled_from(["complete", "closed", "cut", "deadline", "hung up", "nothing"]),
)


@given(EXCHANGES)
def test_every_check_passes_or_says_what_it_found(exchange):
    for check in wire.CHECKS:
        try:
            check(exchange)
        except Finding as ex:
            found = evidence(ex)
            assert isinstance(found.got, str) and isinstance(found.want, str)


@given(EXCHANGES)
def test_an_answer_matches_its_schema_or_the_difference_is_reported(exchange):
    complaints = schemas.schema_complaints(exchange)

    assert all(isinstance(each, str) and each for each in complaints)


@given(BODIES)
@example(b"\xef\xbb\xbf")
def test_frames_keep_every_byte_of_their_lines(body):
    frames = sse.parse(body)

    kept = b"".join(line.text for frame in frames for line in frame.lines)
    assert kept == _text(body.removeprefix(sse.BOM))
    assert [frame.stop for frame in frames] == sorted({f.stop for f in frames})
    assert all(frame.stop <= len(body) for frame in frames)
    assert all(frame.terminated for frame in frames[:-1])


def _text(data):
    """The text without line ends, because blank lines have them too."""
    return data.replace(b"\r", b"").replace(b"\n", b"")
