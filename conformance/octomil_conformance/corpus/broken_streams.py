"""Streams in which something is wrong, each with the requirements that it breaks."""

import json

from octomil_conformance.corpus.entry import ARRIVED, EVENTS, JSON, written
from octomil_conformance.corpus.frames import (
    broken,
    ending,
    fields,
    final,
    frame,
    stream,
    token,
)
from octomil_conformance.exchange import Headers

LAST = written(ending())


def labelled(media_type: str, **others: str) -> Headers:
    return (("Content-Type", media_type), *others.items(), EVENTS[2])


HEADS = (
    broken("created", "STREAM-01", "The status is 201.", stream(), status=201),
    broken(
        "labelled-as-text",
        "STREAM-01",
        "Labelled as plain text: an EventSource refuses it.",
        stream(),
        headers=(("Content-Type", "text/plain"), *EVENTS[1:]),
    ),
    broken(
        "labelled-as-lines-of-json",
        "STREAM-01",
        "Labelled as lines of JSON.",
        stream(),
        headers=(("Content-Type", "application/x-ndjson"), *EVENTS[1:]),
    ),
    broken(
        "no-label",
        "STREAM-01 STREAM-15",
        "No header at all but that of the framing.",
        stream(),
        headers=EVENTS[2:],
    ),
    broken(
        "may-be-cached",
        "STREAM-15",
        "Caches may keep it.",
        stream(),
        headers=(EVENTS[0], ("Cache-Control", "max-age=60"), EVENTS[2]),
    ),
    broken(
        "nothing-of-caches",
        "STREAM-15",
        "Cache-Control is missing.",
        stream(),
        headers=(EVENTS[0], EVENTS[2]),
    ),
    broken(
        "cut-after-the-end",
        "HTTP-21",
        "The transfer breaks off after the final event: all SDKs raise, though all of the text is there.",
        stream(),
        end="cut",
    ),
    broken(
        "lingers",
        "STREAM-17",
        "The transfer stays open for three seconds after the final event: every client waits.",
        stream(),
        seconds=ARRIVED + 3,
    ),
)

FRAMES = (
    broken(
        "single-newlines",
        "STREAM-02 STREAM-05 STREAM-09 STREAM-16",
        "Events are joined by single line ends: by the standard one event with lines of JSON, and an unfinished one.",
        stream("A").replace(b"\n\n", b"\n"),
    ),
    broken(
        "json-on-two-lines",
        "STREAM-02",
        "An event's JSON is spread over two data lines.",
        stream("A").replace(b', "done"', b',\ndata: "done"', 1),
    ),
    broken("null-event", "STREAM-02", "An event is null.", frame(None) + stream()),
    broken("array-event", "STREAM-02", "An event is an array.", frame([]) + stream()),
    broken("number-event", "STREAM-02", "An event is a number.", frame(42) + stream()),
    broken("text-event", "STREAM-02", "An event is a string.", frame("A") + stream()),
    broken(
        "ping-with-empty-data",
        "STREAM-02 STREAM-16",
        "A heartbeat is an event with empty data.",
        b"event: ping\ndata:\n\n" + stream(),
    ),
    broken(
        "bare-text",
        "STREAM-02 STREAM-16",
        "The text of a token stands there without JSON around it.",
        b"data: A\n\n" + stream(),
    ),
    broken(
        "half-an-object",
        "STREAM-02 STREAM-16",
        "The JSON of an event is cut in the middle, and the next goes on as if nothing were.",
        b'data: {"token": "A\n\n' + stream(),
    ),
    broken(
        "space-before-data",
        "STREAM-03",
        "A space stands before `data:`.",
        stream().replace(b"data: ", b" data: "),
    ),
    broken(
        "tab-before-the-last-data",
        "STREAM-03",
        "A tab stands before the last `data:`: the final event is lost.",
        token("A") + b"\t" + final(),
    ),
    broken(
        "no-blank-line-at-the-end",
        "STREAM-05",
        "After the last event there is a line end, but no blank line.",
        stream()[:-1],
    ),
    broken(
        "no-line-end-at-the-end",
        "STREAM-05",
        "The last line has no end.",
        stream()[:-2],
    ),
    broken(
        "crlf-without-a-last-blank-line",
        "STREAM-05",
        "Lines end with CR LF, and the last blank one is missing.",
        stream().replace(b"\n", b"\r\n")[:-2],
    ),
    broken(
        "cr",
        "STREAM-07",
        "Lines end with CR alone.",
        stream().replace(b"\n", b"\r"),
    ),
    broken(
        "cr-in-a-comment",
        "STREAM-07",
        "A comment ends with CR alone.",
        b": hello\r" + stream(),
    ),
    broken(
        "byte-order-mark",
        "STREAM-08",
        "The body begins with a byte order mark.",
        b"\xef\xbb\xbf" + stream(),
    ),
)

OTHERS = (
    broken(
        "cut-by-a-failure",
        "HTTP-21 STREAM-09",
        "The model failed after two tokens. The server does right (an error event, no final one, the transfer breaks off): no client may take it for whole.",
        token("A")
        + token(" ripe")
        + frame({**fields(""), "error": {"code": "stream_interrupted", "message": "the model's server broke off", "retryable": True}}),
        end="cut",
    ),
    broken(
        "cut-inside-an-event",
        "HTTP-21 STREAM-02 STREAM-05 STREAM-09 STREAM-16",
        "The transfer breaks off in the middle of an event.",
        token("A") + token(" ripe")[:30],
        end="cut",
    ),
    broken(
        "failure-that-ends-well",
        "STREAM-09",
        "After an error event the transfer ends as if all were well.",
        token("A") + frame({**fields(""), "error": {"code": "stream_interrupted"}}),
    ),
    broken(
        "envelope-in-a-200",
        "STREAM-01 STREAM-05 STREAM-09 STREAM-15",
        "A failure with the status of a success, as JSON.",
        written({"error": "bad_gateway", "message": "no model", "status_code": 502}),
        headers=(*JSON, EVENTS[2]),
    ),
    broken(
        "dialect-of-openai",
        "STREAM-04 STREAM-06 STREAM-09",
        "Chunks of another API.",
        frame({"choices": [{"delta": {"content": "A"}, "finish_reason": None}]})
        + frame({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        + b"data: [DONE]\n\n",
    ),
    broken(
        "dialect-of-ollama",
        "STREAM-01 STREAM-05 STREAM-09 STREAM-15",
        "Lines of JSON of another API.",
        json.dumps({"message": {"content": "A"}, "done": False}).encode()
        + b"\n"
        + json.dumps({"message": {"content": ""}, "done": True}).encode()
        + b"\n",
        headers=labelled("application/x-ndjson"),
    ),
    broken(
        "wrapped",
        "STREAM-04 STREAM-06 STREAM-09",
        "Every event is wrapped in another object.",
        frame({"data": fields("A")}) + frame({"data": ending()}),
    ),
)  # fmt: skip

BROKEN = (*HEADS, *FRAMES, *OTHERS)
