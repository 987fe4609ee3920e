"""Streams that every client has to read, or in which something is wrong, and that no mutant or variant sends."""

from octomil_conformance.corpus.entry import (
    ARRIVED,
    EVENTS,
    JSON,
    Answer,
    ending,
    entries,
    failed,
    failure,
    fields,
    final,
    frame,
    raw,
    stream,
    token,
    without,
    written,
)

HEART = b": heartbeat\n\n"
WOMAN_FARMER = ("\U0001f469", "\u200d", "\U0001f33e")
"""One picture of three code points, as tokens split it."""
LETTERS = ("Kirsche: ", "\u00e4\u00df", " \u685c\u6843", " \U0001f352")
RAW = b"".join(b"data: " + raw(fields(text)) + b"\n\n" for text in LETTERS)
LENGTH = str(len(stream()))
USAGE = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}
LIMIT = {"finish_reason": "length", "usage": USAGE}
INTERRUPTED = {
    "code": "stream_interrupted",
    "message": "the upstream broke off",
    "retryable": True,
}

LINES = {
    "single-token: The whole answer is one token.": stream("A cherry."),
    "empty-generation: The answer is empty: there is only the final event.": final(),
    "crlf-and-lf: Some lines end with CR LF, some with LF.": (
        token("A").replace(b"\n", b"\r\n") + stream(" cherry")
    ),
    "crlf-then-lf: A line ends with CR LF, the blank line after it with LF.": (
        stream().replace(b"\n\n", b"\r\n\n")
    ),
    "comment-inside-an-event: There is a comment line between the lines of an event.": (
        stream().replace(b"data: ", b":\ndata: ")
    ),
    "comment-like-an-event: A comment looks like an event.": (
        b": data: " + written(ending()) + b"\n\n" + stream()
    ),
    "padding: A comment of two kilobytes makes a proxy send what it has buffered.": (
        b":" + b" " * 2048 + b"\n\n" + stream()
    ),
    "retry: There is a `retry:` line first.": b"retry: 1000\n\n" + stream(),
    "two-spaces: Two spaces follow `data:`: one belongs to the value, where JSON allows it.": (
        stream().replace(b"data: ", b"data:  ")
    ),
    "unknown-lines: The standard does not know the names of some lines. One has no colon.": (
        b"colour: red\nnothing\n" + stream()
    ),
    "data-like-names: The names of some lines only begin with `data`.": (
        b"database: 1\ndata-id: 7\n" + stream()
    ),
    "done-marker-no-space: `data:[DONE]` follows, and a comment after it.": (
        stream() + b"data:[DONE]\n\n: bye\n\n"
    ),
    "with-a-length: Content-Length announces the length of the whole stream.": Answer(
        stream(),
        headers=(
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("content-length", LENGTH),
        ),
    ),
    "closed [STREAM-19]: The close of the connection ends the stream, so that a cut one looks complete.": (
        Answer(stream(), end="closed")
    ),
    "thought-first: There are heartbeats while the model thinks, then all tokens at once.": (
        HEART * 9 + stream()
    ),
}

TEXTS = {
    "escaped-separators: U+0085, U+2028 and U+2029, which some readers take for line ends, are escaped.": (
        stream("one\u0085two", "\u2028three", "\u2029")
    ),
    "raw-letters: Letters of two, three and four bytes are not escaped.": RAW + final(),
    "escaped-letters: The same letters are escaped, some as surrogate pairs.": stream(
        *LETTERS
    ),
    "escaped-ascii: ASCII letters are escaped, with hexadecimal digits in upper and lower case.": (
        b'data: {"token": "\\u0041 \\u006B\\u006b\\/", "done": false, "provider": "ollama"}\n\n'
        + final()
    ),
    "picture-in-pieces: One emoji comes in three tokens, with a code point in each.": (
        stream(*WOMAN_FARMER)
    ),
    "accent-on-its-own: A letter and its accent come in two tokens, which must not be normalised.": (
        stream("Cafe", "\u0301", "!")
    ),
    "right-to-left: The text runs from right to left and has direction marks.": (
        stream(
            "\u05d3\u05d5\u05d1\u05d3\u05d1\u05df", " \u200f\u0643\u0631\u0632\u200e"
        )
    ),
    "control-characters: NUL, tab, escape and delete are in tokens, escaped.": stream(
        "a\u0000b", "\t\u001b[1m", "\u007f"
    ),
    "line-ends: Line ends are in tokens, escaped.": stream(
        "one\n", "\r\n", "\n\ntwo\r"
    ),
    "like-an-event: A token looks like an event with its blank line.": stream(
        'data: {"token": "no", "done": true}\n\n', ": no comment\n"
    ),
    "like-the-marker: A token reads `[DONE]`.": stream("[DONE]", "data: [DONE]"),
    "like-json: Tokens are pieces of JSON.": stream('{"', 'done": true', "}", "null"),
    "quotes: Tokens have quotes and backslashes.": stream(
        '"', "\\", '\\"', "\\\\n", "'"
    ),
    "spaces: Tokens are white space only.": stream(
        " ", "  ", "\u00a0", "\u3000", "\ufeff"
    ),
    "empty-tokens: Some tokens are empty.": stream("", "A", "", "", " cherry", ""),
    "long-token: A token has 64 kilobytes.": stream("cherry " * 9363),
    "many-tokens: There are a thousand tokens.": stream(*["word "] * 1000),
    "raw-line-separator [STREAM-10]: U+2028 is in a token and not escaped.": (
        stream("one", "|two").replace(b"|", "\u2028".encode())
    ),
    "raw-paragraph-separator [STREAM-10]: U+2029 is in a token and not escaped.": (
        stream("one", "|two").replace(b"|", "\u2029".encode())
    ),
    "raw-next-line [STREAM-10]: U+0085 is in a token and not escaped.": (
        stream("one", "|two").replace(b"|", "\u0085".encode())
    ),
    "infinity [STREAM-11 STREAM-16]: A latency is infinite.": (
        token("A") + final(latency_ms=float("inf"))
    ),
    "raw-tab [STREAM-02 STREAM-16]: A tab is in a JSON string and not escaped.": (
        stream("one|two").replace(b"|", b"\t")
    ),
    "single-quotes [STREAM-02 STREAM-16]: An object is written as Python prints it.": (
        b"data: " + str(fields("A")).encode() + b"\n\n" + stream()
    ),
    "trailing-comma [STREAM-02 STREAM-16]: A comma follows the last field.": (
        stream("A").replace(b"}", b",}", 1)
    ),
}

FIELDS = {
    "more-fields: There are unknown fields, nested ones too.": (
        token("A", index=0, logprobs=None, choices=[{"delta": {"content": "no"}}])
        + final(error=None)
    ),
    "other-order: `done` is the first field, `token` the last.": (
        b"".join(
            frame(dict(reversed(each.items()))) for each in (fields("A"), ending())
        )
    ),
    "spaced-json: There is white space in the JSON, also a tab.": (
        b'data: { "token" :\t"A" , "done" : false , "provider" : "ollama" } \n\n'
        + final()
    ),
    "tight-json: There is no white space in the JSON.": (
        stream().replace(b'": ', b'":').replace(b', "', b',"')
    ),
    "whole-latency: `latency_ms` is an integer.": token("A") + final(latency_ms=42),
    "zero-latency: `latency_ms` is zero.": token("A") + final(latency_ms=0),
    "latency-with-exponent: `latency_ms` is written with an exponent.": (
        token("A") + final().replace(b"812.4", b"8.124e2")
    ),
    "latency-everywhere: Events with a token have a latency, too.": (
        token("A", latency_ms=12.5) + final()
    ),
    "no-session: `session_id` is null.": token("A") + final(session_id=None),
    "ended-by-the-limit: The answer ends at the token limit: `finish_reason` and `usage` say so.": (
        token("A") + final(**LIMIT)
    ),
    "null-ending: `finish_reason` and `usage` are null.": (
        token("A") + final(finish_reason=None, usage=None)
    ),
    "null-token [STREAM-04]: `token` is null.": (
        frame({**fields(""), "token": None}) + stream()
    ),
    "number-token [STREAM-04]: `token` is a number.": (
        frame({**fields(""), "token": 7}) + stream()
    ),
    "done-is-a-string [STREAM-06]: `done` is the string false, which many languages take for true.": (
        frame({**fields("A"), "done": "false"}) + stream()
    ),
    "done-is-null [STREAM-06]: `done` is null in an event with a token.": (
        frame({**fields("A"), "done": None}) + stream()
    ),
    "no-final-event [STREAM-09]: There is no final event.": (
        token("A") + token(" cherry")
    ),
    "only-the-marker [STREAM-09]: There is `[DONE]` in place of the final event.": (
        token("A") + b"data: [DONE]\n\n"
    ),
    "nothing-but-comments [STREAM-09]: There is no event at all.": (
        b": hello\n\n: bye\n\n"
    ),
    "latency-is-a-string [STREAM-11]: `latency_ms` is a string.": (
        token("A") + final(latency_ms="812.4")
    ),
    "latency-is-null [STREAM-11]: `latency_ms` is null.": (
        token("A") + final(latency_ms=None)
    ),
    "latency-is-a-boolean [STREAM-11]: `latency_ms` is true.": (
        token("A") + final(latency_ms=True)
    ),
    "provider-is-empty [STREAM-12]: `provider` is an empty string.": (
        token("A", provider="") + final()
    ),
    "provider-is-an-object [STREAM-12]: `provider` is an object.": (
        token("A", provider={"name": "ollama"}) + final()
    ),
    "no-latency [STREAM-14]: The final event has no `latency_ms`.": (
        token("A") + frame(without(ending(), "latency_ms"))
    ),
}

HEADS = {
    "labelled-as-lines-of-json [STREAM-01]: It is labelled as lines of JSON.": Answer(
        stream(), headers=(("Content-Type", "application/x-ndjson"), *EVENTS[1:])
    ),
    "no-label [STREAM-01 STREAM-15]: The only header is the one for the framing.": (
        Answer(stream(), headers=EVENTS[2:])
    ),
    "nothing-of-caches [STREAM-15]: There is no Cache-Control.": Answer(
        stream(), headers=(EVENTS[0], EVENTS[2])
    ),
    "lingers [STREAM-17]: The transfer stays open for three seconds after the final event, and every client waits.": (
        Answer(stream(), seconds=ARRIVED + 3)
    ),
}

FRAMES = {
    "single-newlines [STREAM-02 STREAM-05 STREAM-09 STREAM-16]: Single line ends join the events: by the standard this is one event, and it never ends.": (
        stream("A").replace(b"\n\n", b"\n")
    ),
    "array-event [STREAM-02]: An event is an array.": frame([]) + stream(),
    "number-event [STREAM-02]: An event is a number.": frame(42) + stream(),
    "text-event [STREAM-02]: An event is a string.": frame("A") + stream(),
    "ping-with-empty-data [STREAM-02 STREAM-16]: A heartbeat is an event with empty data.": (
        b"event: ping\ndata:\n\n" + stream()
    ),
    "bare-text [STREAM-02 STREAM-16]: The text of a token has no JSON around it.": (
        b"data: A\n\n" + stream()
    ),
    "half-an-object [STREAM-02 STREAM-16]: The JSON of an event is cut off in the middle, and good events follow.": (
        b'data: {"token": "A\n\n' + stream()
    ),
    "tab-before-the-last-data [STREAM-03]: There is a tab before the last `data:`: the final event is lost.": (
        token("A") + b"\t" + final()
    ),
    "crlf-without-a-last-blank-line [STREAM-05]: Lines end with CR LF, and the last blank line is missing.": (
        stream().replace(b"\n", b"\r\n")[:-2]
    ),
    "cr-in-a-comment [STREAM-07]: A comment ends with CR only.": (
        b": hello\r" + stream()
    ),
}

OTHERS = {
    "cut-by-a-failure [HTTP-21 STREAM-09]: The model failed, and the server breaks off as it should. No client may take the answer for complete.": (
        Answer(
            token("A") + token(" ripe") + frame({**fields(""), "error": INTERRUPTED}),
            end="cut",
        )
    ),
    "cut-inside-an-event [HTTP-21 STREAM-02 STREAM-05 STREAM-09 STREAM-16]: The transfer breaks off in the middle of an event.": (
        Answer(token("A") + token(" ripe")[:30], end="cut")
    ),
    "failure-that-ends-well [STREAM-09]: After an error event the transfer ends like that of a good answer.": (
        token("A") + frame({**fields(""), "error": {"code": "stream_interrupted"}})
    ),
    "envelope-in-a-200 [STREAM-01 STREAM-05 STREAM-09 STREAM-15]: A failure has the status of a success, and is JSON.": (
        Answer(
            written(
                {"error": "bad_gateway", "message": "no model", "status_code": 502}
            ),
            headers=(*JSON, EVENTS[2]),
        )
    ),
    "dialect-of-openai [STREAM-04 STREAM-06 STREAM-09]: It is a stream of the OpenAI API.": (
        frame({"choices": [{"delta": {"content": "A"}, "finish_reason": None}]})
        + frame({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        + b"data: [DONE]\n\n"
    ),
    "dialect-of-ollama [STREAM-01 STREAM-05 STREAM-09 STREAM-15]: It is a stream of the Ollama API: lines of JSON.": (
        Answer(
            written({"message": {"content": "A"}, "done": False})
            + b"\n"
            + written({"message": {"content": ""}, "done": True})
            + b"\n",
            headers=(("Content-Type", "application/x-ndjson"), EVENTS[2]),
        )
    ),
    "wrapped [STREAM-04 STREAM-06 STREAM-09]: Every event is wrapped in another object.": (
        frame({"data": fields("A")}) + frame({"data": ending()})
    ),
}

FAILURES = {
    "model-not-found: No backend has the model: a stream fails with JSON, too.": failed(
        404, "not_found", "model_not_found"
    ),
    "rate-limited: There were too many requests: the client may try again after three seconds.": (
        Answer(
            failure(429, "rate_limited", "rate_limited"),
            status=429,
            headers=(*JSON, ("Retry-After", "3")),
        )
    ),
    "overloaded: No backend has room for the request.": Answer(
        failure(503, "service_unavailable", "server_error"),
        status=503,
        headers=(*JSON, ("Retry-After", "1")),
    ),
    "status-is-a-string [HTTP-25]: `status_code` is a string.": failed(
        503, "service_unavailable", "server_error", status_code="503"
    ),
    "failure-as-an-event [HTTP-25]: A failure before the first token comes as an event.": (
        Answer(
            b"data: "
            + written(failure(502, "bad_gateway", "inference_failed"))
            + b"\n\n",
            status=502,
            headers=(("Content-Type", "text/event-stream"),),
        )
    ),
}

STREAMS = entries("stream", LINES | TEXTS | FIELDS | HEADS | FRAMES | OTHERS | FAILURES)
