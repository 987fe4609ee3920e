"""Streams that every client has to read, or in which something is wrong, and that no mutant or variant sends."""

from typing import Any

from octomil_conformance.corpus.entry import (
    ARRIVED,
    EVENTS,
    JSON,
    Entry,
    ending,
    entry,
    fields,
    final,
    frame,
    raw,
    stream,
    token,
    without,
    written,
)


def valid(name: str, about: str, body: bytes, **more: Any) -> Entry:
    return entry("stream", name, "", about, body, **more)


def broken(name: str, breaks: str, about: str, body: bytes, **more: Any) -> Entry:
    return entry("stream", name, breaks, about, body, **more)


HEART = b": heartbeat\n\n"
WOMAN_FARMER = ("\U0001f469", "\u200d", "\U0001f33e")
"""One picture of three code points, as tokens split it."""
LETTERS = ("Kirsche: ", "\u00e4\u00df", " \u685c\u6843", " \U0001f352")
RAW = b"".join(b"data: " + raw(fields(text)) + b"\n\n" for text in LETTERS)
LENGTH = str(len(stream()))
REASON = {"finish_reason": "length", "usage": {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}}  # fmt: skip
INTERRUPTED = {"code": "stream_interrupted", "message": "the upstream broke off", "retryable": True}  # fmt: skip

LINES = (
    valid("single-token", "The whole answer is one token.", stream("A cherry.")),
    valid("empty-generation", "The answer is empty: there is only the final event.", final()),
    valid("crlf-and-lf", "Some lines end with CR LF, some with LF.", token("A").replace(b"\n", b"\r\n") + stream(" cherry")),
    valid("crlf-then-lf", "A line ends with CR LF, the blank line after it with LF.", stream().replace(b"\n\n", b"\r\n\n")),
    valid("comment-inside-an-event", "There is a comment line between the lines of an event.", stream().replace(b"data: ", b":\ndata: ")),
    valid("comment-like-an-event", "A comment reads like an event.", b": data: " + written(ending()) + b"\n\n" + stream()),
    valid("padding", "Two kilobytes of comment make a proxy send what it has.", b":" + b" " * 2048 + b"\n\n" + stream()),
    valid("retry", "There is a `retry:` line first.", b"retry: 1000\n\n" + stream()),
    valid("two-spaces", "Two spaces follow `data:`: one belongs to the value, where JSON allows it.", stream().replace(b"data: ", b"data:  ")),
    valid("unknown-lines", "There are lines with names that the standard does not know, one of them without a colon.", b"colour: red\nnothing\n" + stream()),
    valid("data-like-names", "The names of some lines only begin with `data`.", b"database: 1\ndata-id: 7\n" + stream()),
    valid("done-marker-no-space", "`data:[DONE]` follows, and a comment after it.", stream() + b"data:[DONE]\n\n: bye\n\n"),
    valid("with-a-length", "Content-Length announces the length of the whole stream.", stream(), headers=(("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("content-length", LENGTH))),
    broken("closed", "STREAM-19", "The close of the connection ends the stream, so that a cut one looks complete.", stream(), end="closed"),
    valid("thought-first", "There are heartbeats while the model thinks, then all tokens at once.", HEART * 9 + stream()),
)  # fmt: skip

TEXTS = (
    valid("escaped-separators", "U+0085, U+2028 and U+2029 are in tokens, escaped: some readers take them for line ends when they are not.", stream("one\u0085two", "\u2028three", "\u2029")),
    valid("raw-letters", "Letters of two, three and four bytes are not escaped.", RAW + final()),
    valid("escaped-letters", "The same letters are escaped, some as surrogate pairs.", stream(*LETTERS)),
    valid("escaped-ascii", "Plain letters are escaped, with capital and small digits.", b'data: {"token": "\\u0041 \\u006B\\u006b\\/", "done": false, "provider": "ollama"}\n\n' + final()),
    valid("picture-in-pieces", "One picture comes in three tokens, a code point in each.", stream(*WOMAN_FARMER)),
    valid("accent-on-its-own", "A letter and its combining accent come in two tokens, which must not be normalised.", stream("Cafe", "\u0301", "!")),
    valid("right-to-left", "The text runs from right to left and has marks of direction.", stream("\u05d3\u05d5\u05d1\u05d3\u05d1\u05df", " \u200f\u0643\u0631\u0632\u200e")),
    valid("control-characters", "NUL, tab, escape and delete are in tokens, escaped.", stream("a\u0000b", "\t\u001b[1m", "\u007f")),
    valid("line-ends", "Line ends are in tokens, escaped.", stream("one\n", "\r\n", "\n\ntwo\r")),
    valid("like-an-event", "A token reads like an event with its blank line.", stream('data: {"token": "no", "done": true}\n\n', ": no comment\n")),
    valid("like-the-marker", "A token reads `[DONE]`.", stream("[DONE]", "data: [DONE]")),
    valid("like-json", "Tokens are pieces of JSON.", stream('{"', 'done": true', "}", "null")),
    valid("quotes", "Tokens have quotes and backslashes.", stream('"', "\\", '\\"', "\\\\n", "'")),
    valid("spaces", "Tokens are white space only.", stream(" ", "  ", "\u00a0", "\u3000", "\ufeff")),
    valid("empty-tokens", "Some tokens are empty.", stream("", "A", "", "", " cherry", "")),
    valid("long-token", "A token has 64 kilobytes.", stream("cherry " * 9363)),
    valid("many-tokens", "There are a thousand tokens.", stream(*["word "] * 1000)),
    broken("raw-line-separator", "STREAM-10", "U+2028 is in a token and not escaped.", stream("one", "|two").replace(b"|", "\u2028".encode())),
    broken("raw-paragraph-separator", "STREAM-10", "U+2029 is in a token and not escaped.", stream("one", "|two").replace(b"|", "\u2029".encode())),
    broken("raw-next-line", "STREAM-10", "U+0085 is in a token and not escaped.", stream("one", "|two").replace(b"|", "\u0085".encode())),
    broken("infinity", "STREAM-11 STREAM-16", "A latency is infinite.", token("A") + final(latency_ms=float("inf"))),
    broken("raw-tab", "STREAM-02 STREAM-16", "A tab is in a JSON string and not escaped.", stream("one|two").replace(b"|", b"\t")),
    broken("single-quotes", "STREAM-02 STREAM-16", "An object is written as Python prints it.", b"data: " + str(fields("A")).encode() + b"\n\n" + stream()),
    broken("trailing-comma", "STREAM-02 STREAM-16", "A comma follows the last field.", stream("A").replace(b"}", b",}", 1)),
)  # fmt: skip

FIELDS = (
    valid("more-fields", "There are unknown fields, nested ones too.", token("A", index=0, logprobs=None, choices=[{"delta": {"content": "no"}}]) + final(error=None)),
    valid("other-order", "`done` is the first field, `token` the last.", b"".join(frame(dict(reversed(each.items()))) for each in (fields("A"), ending()))),
    valid("spaced-json", "There is white space in the JSON, also a tab.", b'data: { "token" :\t"A" , "done" : false , "provider" : "ollama" } \n\n' + final()),
    valid("tight-json", "There is no white space in the JSON.", stream().replace(b'": ', b'":').replace(b', "', b',"')),
    valid("whole-latency", "`latency_ms` is an integer.", token("A") + final(latency_ms=42)),
    valid("zero-latency", "`latency_ms` is zero.", token("A") + final(latency_ms=0)),
    valid("latency-with-exponent", "`latency_ms` is written with an exponent.", token("A") + final().replace(b"812.4", b"8.124e2")),
    valid("latency-everywhere", "Tokens have a latency, too.", token("A", latency_ms=12.5) + final()),
    valid("no-session", "`session_id` is null.", token("A") + final(session_id=None)),
    valid("ended-by-the-limit", "The limit of tokens ended it: `finish_reason` and `usage` say so.", token("A") + final(**REASON)),
    valid("null-ending", "`finish_reason` and `usage` are null.", token("A") + final(finish_reason=None, usage=None)),
    broken("null-token", "STREAM-04", "`token` is null.", frame({**fields(""), "token": None}) + stream()),
    broken("number-token", "STREAM-04", "`token` is a number.", frame({**fields(""), "token": 7}) + stream()),
    broken("done-is-a-string", "STREAM-06", "`done` is the string false, which many languages take for true.", frame({**fields("A"), "done": "false"}) + stream()),
    broken("done-is-null", "STREAM-06", "`done` is null in an event with a token.", frame({**fields("A"), "done": None}) + stream()),
    broken("no-final-event", "STREAM-09", "There is no final event.", token("A") + token(" cherry")),
    broken("only-the-marker", "STREAM-09", "There is `[DONE]` in place of the final event.", token("A") + b"data: [DONE]\n\n"),
    broken("nothing-but-comments", "STREAM-09", "There is no event at all.", b": hello\n\n: bye\n\n"),
    broken("latency-is-a-string", "STREAM-11", "`latency_ms` is a string.", token("A") + final(latency_ms="812.4")),
    broken("latency-is-null", "STREAM-11", "`latency_ms` is null.", token("A") + final(latency_ms=None)),
    broken("latency-is-a-boolean", "STREAM-11", "`latency_ms` is true.", token("A") + final(latency_ms=True)),
    broken("provider-is-empty", "STREAM-12", "`provider` is an empty string.", token("A", provider="") + final()),
    broken("provider-is-an-object", "STREAM-12", "`provider` is an object.", token("A", provider={"name": "ollama"}) + final()),
    broken("no-latency", "STREAM-14", "The final event has no `latency_ms`.", token("A") + frame(without(ending(), "latency_ms"))),
)  # fmt: skip

HEADS = (
    broken("labelled-as-lines-of-json", "STREAM-01", "It is labelled as lines of JSON.", stream(), headers=(("Content-Type", "application/x-ndjson"), *EVENTS[1:])),
    broken("no-label", "STREAM-01 STREAM-15", "There is no header but the one for the framing.", stream(), headers=EVENTS[2:]),
    broken("nothing-of-caches", "STREAM-15", "There is no Cache-Control.", stream(), headers=(EVENTS[0], EVENTS[2])),
    broken("lingers", "STREAM-17", "The transfer stays open for three seconds after the final event, and every client waits.", stream(), seconds=ARRIVED + 3),
)  # fmt: skip

FRAMES = (
    broken("single-newlines", "STREAM-02 STREAM-05 STREAM-09 STREAM-16", "Events are joined by single line ends: by the standard that is one event with lines of JSON, and an unfinished one.", stream("A").replace(b"\n\n", b"\n")),
    broken("array-event", "STREAM-02", "An event is an array.", frame([]) + stream()),
    broken("number-event", "STREAM-02", "An event is a number.", frame(42) + stream()),
    broken("text-event", "STREAM-02", "An event is a string.", frame("A") + stream()),
    broken("ping-with-empty-data", "STREAM-02 STREAM-16", "A heartbeat is an event with empty data.", b"event: ping\ndata:\n\n" + stream()),
    broken("bare-text", "STREAM-02 STREAM-16", "The text of a token has no JSON around it.", b"data: A\n\n" + stream()),
    broken("half-an-object", "STREAM-02 STREAM-16", "The JSON of an event is cut off in the middle, and good events follow.", b'data: {"token": "A\n\n' + stream()),
    broken("tab-before-the-last-data", "STREAM-03", "There is a tab before the last `data:`: the final event is lost.", token("A") + b"\t" + final()),
    broken("crlf-without-a-last-blank-line", "STREAM-05", "Lines end with CR LF, and the last blank line is missing.", stream().replace(b"\n", b"\r\n")[:-2]),
    broken("cr-in-a-comment", "STREAM-07", "A comment ends with CR only.", b": hello\r" + stream()),
)  # fmt: skip

OTHERS = (
    broken("cut-by-a-failure", "HTTP-21 STREAM-09", "The model failed after two tokens. The server does right (an error event, no final one, the transfer breaks off), but no client may take the answer for whole.", token("A") + token(" ripe") + frame({**fields(""), "error": INTERRUPTED}), end="cut"),
    broken("cut-inside-an-event", "HTTP-21 STREAM-02 STREAM-05 STREAM-09 STREAM-16", "The transfer breaks off in the middle of an event.", token("A") + token(" ripe")[:30], end="cut"),
    broken("failure-that-ends-well", "STREAM-09", "After an error event the transfer ends like that of a good answer.", token("A") + frame({**fields(""), "error": {"code": "stream_interrupted"}})),
    broken("envelope-in-a-200", "STREAM-01 STREAM-05 STREAM-09 STREAM-15", "A failure has the status of a success, and is JSON.", written({"error": "bad_gateway", "message": "no model", "status_code": 502}), headers=(*JSON, EVENTS[2])),
    broken("dialect-of-openai", "STREAM-04 STREAM-06 STREAM-09", "It is a stream of the OpenAI API.", frame({"choices": [{"delta": {"content": "A"}, "finish_reason": None}]}) + frame({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"),
    broken("dialect-of-ollama", "STREAM-01 STREAM-05 STREAM-09 STREAM-15", "It is a stream of the Ollama API: lines of JSON.", written({"message": {"content": "A"}, "done": False}) + b"\n" + written({"message": {"content": ""}, "done": True}) + b"\n", headers=(("Content-Type", "application/x-ndjson"), EVENTS[2])),
    broken("wrapped", "STREAM-04 STREAM-06 STREAM-09", "Every event is wrapped in another object.", frame({"data": fields("A")}) + frame({"data": ending()})),
)  # fmt: skip

STREAMS = (*LINES, *TEXTS, *FIELDS, *HEADS, *FRAMES, *OTHERS)
