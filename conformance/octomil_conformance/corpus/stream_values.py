"""Streams that every client has to read: what tokens and the JSON of an event may hold."""

from octomil_conformance.corpus.entry import raw
from octomil_conformance.corpus.frames import (
    ending,
    fields,
    final,
    frame,
    stream,
    token,
    valid,
)

WOMAN_FARMER = ("\U0001f469", "\u200d", "\U0001f33e")
"""One picture of three code points, as tokens cut it."""

TEXTS = (
    valid(
        "escaped-separators",
        "U+0085, U+2028 and U+2029 in tokens, escaped: some readers take them for line ends when they are not.",
        stream("one\u0085two", "\u2028three", "\u2029"),
    ),
    valid(
        "raw-letters",
        "Letters of two, three and four bytes as they are.",
        b"".join(
            b"data: " + raw(fields(text)) + b"\n\n"
            for text in ("Kirsche: ", "\u00e4\u00df", " \u685c\u6843", " \U0001f352")
        )
        + final(),
    ),
    valid(
        "escaped-letters",
        "The same letters as escapes, surrogate pairs among them.",
        stream("Kirsche: ", "\u00e4\u00df", " \u685c\u6843", " \U0001f352"),
    ),
    valid(
        "escaped-ascii",
        "Plain letters as escapes, in capitals and small ones.",
        b'data: {"token": "\\u0041 \\u006B\\u006b\\/", "done": false, "provider": "ollama"}\n\n'
        + final(),
    ),
    valid(
        "picture-in-pieces",
        "One picture comes in three tokens, each a code point of it.",
        stream(*WOMAN_FARMER),
    ),
    valid(
        "accent-on-its-own",
        "A letter and its combining accent come in two tokens; nobody may normalise them.",
        stream("Cafe", "\u0301", "!"),
    ),
    valid(
        "right-to-left",
        "Text from right to left, with marks of direction.",
        stream(
            "\u05d3\u05d5\u05d1\u05d3\u05d1\u05df", " \u200f\u0643\u0631\u0632\u200e"
        ),
    ),
    valid(
        "control-characters",
        "NUL, tab, escape and delete, escaped.",
        stream("a\u0000b", "\t\u001b[1m", "\u007f"),
    ),
    valid(
        "line-ends",
        "Line ends in tokens, escaped.",
        stream("one\n", "\r\n", "\n\ntwo\r"),
    ),
    valid(
        "like-an-event",
        "A token reads like an event, blank line and all.",
        stream('data: {"token": "no", "done": true}\n\n', ": no comment\n"),
    ),
    valid(
        "like-the-marker", "A token reads `[DONE]`.", stream("[DONE]", "data: [DONE]")
    ),
    valid(
        "like-json",
        "Tokens are pieces of JSON.",
        stream('{"', 'done": true', "}", "null"),
    ),
    valid("quotes", "Quotes and backslashes.", stream('"', "\\", '\\"', "\\\\n", "'")),
    valid(
        "spaces",
        "Tokens of nothing but white space.",
        stream(" ", "  ", "\u00a0", "\u3000", "\ufeff"),
    ),
    valid(
        "empty-tokens",
        "Tokens without text between others.",
        stream("", "A", "", "", " cherry", ""),
    ),
    valid("long-token", "A token of 64 kilobytes.", stream("cherry " * 9363)),
    valid("many-tokens", "A thousand tokens.", stream(*["word "] * 1000)),
)

EVENTS = (
    valid(
        "more-fields",
        "Fields that nobody knows, deep ones too.",
        token("A", index=0, logprobs=None, choices=[{"delta": {"content": "no"}}])
        + final(error=None),
    ),
    valid(
        "other-order",
        "`done` stands first, `token` last.",
        b"".join(
            frame(dict(reversed(each.items()))) for each in (fields("A"), ending())
        ),
    ),
    valid(
        "spaced-json",
        "White space inside of the JSON, a tab among it.",
        b'data: { "token" :\t"A" , "done" : false , "provider" : "ollama" } \n\n'
        + final(),
    ),
    valid(
        "tight-json",
        "No white space inside of the JSON.",
        stream().replace(b'": ', b'":').replace(b', "', b',"'),
    ),
    valid(
        "whole-latency",
        "`latency_ms` is an integer.",
        token("A") + final(latency_ms=42),
    ),
    valid(
        "no-latency-at-all", "`latency_ms` is zero.", token("A") + final(latency_ms=0)
    ),
    valid(
        "latency-with-exponent",
        "`latency_ms` is written with an exponent.",
        token("A") + final().replace(b"812.4", b"8.124e2"),
    ),
    valid(
        "latency-everywhere",
        "Tokens tell a latency, too.",
        token("A", latency_ms=12.5) + final(),
    ),
    valid(
        "other-provider",
        "A provider of another name.",
        stream().replace(b"ollama", b"triton"),
    ),
    valid("no-session", "`session_id` is null.", token("A") + final(session_id=None)),
    valid(
        "cut-short-by-limit",
        "The limit of tokens ended it: `finish_reason` and `usage` say so.",
        token("A")
        + final(
            finish_reason="length",
            usage={"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13},
        ),
    ),
    valid(
        "nothing-known-of-the-end",
        "`finish_reason` and `usage` are null.",
        token("A") + final(finish_reason=None, usage=None),
    ),
)

VALID = (*TEXTS, *EVENTS)
