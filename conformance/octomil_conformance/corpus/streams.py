"""Streams that every client has to read: the freedoms that the standard of server-sent events leaves."""

from octomil_conformance.corpus.entry import written
from octomil_conformance.corpus.frames import (
    ending,
    final,
    frame,
    stream,
    token,
    valid,
    without,
)

HEART = b": heartbeat\n\n"

VALID = (
    valid("plain", "Tokens, then the final event.", stream()),
    valid("one-token", "The whole answer is one token.", stream("A cherry.")),
    valid("empty-generation", "The model said nothing: only the final event.", final()),
    valid(
        "text-in-the-final-event",
        "The last token rides in the final event.",
        token("A") + final(token=" cherry"),
    ),
    valid(
        "bare-final-event",
        "The final event has neither a token nor a provider.",
        token("A") + frame(without(ending(), "token", "provider")),
    ),
    valid("crlf", "Lines end with CR LF.", stream().replace(b"\n", b"\r\n")),
    valid(
        "crlf-and-lf",
        "Some lines end with CR LF, some with LF.",
        token("A").replace(b"\n", b"\r\n") + stream(" cherry"),
    ),
    valid(
        "crlf-then-lf",
        "A line ends with CR LF, the blank one after it with LF.",
        stream().replace(b"\n\n", b"\r\n\n"),
    ),
    valid(
        "comments",
        "Comment lines stand before, between and after the events.",
        b": welcome\n\n" + token("A") + HEART + HEART + final() + b": bye\n\n",
    ),
    valid(
        "comment-inside-an-event",
        "A comment line stands between an event's lines.",
        stream().replace(b"data: ", b":\ndata: "),
    ),
    valid(
        "comment-like-an-event",
        "A comment reads like an event.",
        b": data: " + written(ending()) + b"\n\n" + stream(),
    ),
    valid(
        "padding",
        "Two kilobytes of comment make a proxy send what it has.",
        b":" + b" " * 2048 + b"\n\n" + stream(),
    ),
    valid(
        "no-space", "No space follows `data:`.", stream().replace(b"data: ", b"data:")
    ),
    valid(
        "two-spaces",
        "Two spaces follow `data:`: one belongs to the value, and JSON passes it over.",
        stream().replace(b"data: ", b"data:  "),
    ),
    valid(
        "named-events",
        "Events have names; clients of this API do not ask for them.",
        stream().replace(b"data: ", b"event: token\ndata: "),
    ),
    valid(
        "ids",
        "Events have ids, before or after the data.",
        b"id: 1\n" + token("A") + final().replace(b"\n\n", b"\nid: 2\n\n"),
    ),
    valid("retry", "A `retry:` line comes first.", b"retry: 1000\n\n" + stream()),
    valid(
        "unknown-lines",
        "Lines with names that the standard does not know, one of them without a colon.",
        b"colour: red\nnothing\n" + stream(),
    ),
    valid(
        "data-like-names",
        "Names of lines that only begin like `data`.",
        b"database: 1\ndata-id: 7\n" + stream(),
    ),
    valid(
        "blank-lines",
        "More blank lines than one stand before and between the events.",
        b"\n\n" + stream().replace(b"\n\n", b"\n\n\n\n"),
    ),
    valid("done-marker", "`data: [DONE]` follows.", stream() + b"data: [DONE]\n\n"),
    valid(
        "done-marker-no-space",
        "`data:[DONE]` follows, and a comment after it.",
        stream() + b"data:[DONE]\n\n: bye\n\n",
    ),
    valid(
        "closed",
        "The close of the connection ends the transfer, as in HTTP/1.0.",
        stream(),
        headers=(("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")),
        end="closed",
    ),
    valid(
        "with-a-length",
        "The length of the whole stream is announced.",
        stream(),
        headers=(
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("content-length", str(len(stream()))),
        ),
    ),
    valid(
        "other-spelling",
        "Content-Type in capitals and with a charset, Cache-Control with more words.",
        stream(),
        headers=(
            ("CONTENT-TYPE", "Text/Event-Stream; charset=utf-8"),
            ("CACHE-CONTROL", "No-Store, no-transform"),
            ("TRANSFER-ENCODING", "chunked"),
        ),
    ),
    valid(
        "thought-first",
        "Heartbeats while the model thinks, then all at once.",
        HEART * 9 + stream(),
    ),
)
