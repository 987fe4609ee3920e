"""Streams in which a token or another field is wrong, each with the requirements that it breaks."""

from octomil_conformance.corpus.frames import (
    broken,
    ending,
    fields,
    final,
    frame,
    stream,
    token,
    without,
)

TEXTS = (
    broken(
        "raw-line-separator",
        "STREAM-10",
        "U+2028 stands in a token as it is.",
        stream("one", "|two").replace(b"|", "\u2028".encode()),
    ),
    broken(
        "raw-paragraph-separator",
        "STREAM-10",
        "U+2029 stands in a token as it is.",
        stream("one", "|two").replace(b"|", "\u2029".encode()),
    ),
    broken(
        "raw-next-line",
        "STREAM-10",
        "U+0085 stands in a token as it is.",
        stream("one", "|two").replace(b"|", "\u0085".encode()),
    ),
    broken(
        "nan",
        "STREAM-16",
        "A number that does not exist is written as NaN.",
        token("A", probability=float("nan")) + final(),
    ),
    broken(
        "infinity",
        "STREAM-11 STREAM-16",
        "An infinite latency.",
        token("A") + final(latency_ms=float("inf")),
    ),
    broken(
        "latin-1",
        "STREAM-16",
        "A token is written in Latin-1.",
        stream("caf|").replace(b"|", b"\xe9"),
    ),
    broken(
        "raw-tab",
        "STREAM-02 STREAM-16",
        "A tab stands in a JSON string as it is.",
        stream("one|two").replace(b"|", b"\t"),
    ),
    broken(
        "single-quotes",
        "STREAM-02 STREAM-16",
        "An object as Python prints it.",
        b"data: " + str(fields("A")).encode() + b"\n\n" + stream(),
    ),
    broken(
        "trailing-comma",
        "STREAM-02 STREAM-16",
        "A comma stands after the last field.",
        stream("A").replace(b"}", b",}", 1),
    ),
)

FIELDS = (
    broken("null-token", "STREAM-04", "`token` is null.", frame({**fields(""), "token": None}) + stream()),
    broken("number-token", "STREAM-04", "`token` is a number.", frame({**fields(""), "token": 7}) + stream()),
    broken("object-token", "STREAM-04", "`token` is an object with the text in it.", frame({**fields(""), "token": {"text": "A"}}) + stream()),
    broken("no-token", "STREAM-04", "An event that is not the final one has no token.", frame(without(fields(""), "token")) + stream()),
    broken("done-is-a-string", "STREAM-06", "`done` is the string false: true to many languages.", frame({**fields("A"), "done": "false"}) + stream()),
    broken("done-is-a-number", "STREAM-06", "`done` is 0 while it is not.", frame({**fields("A"), "done": 0}) + stream()),
    broken("done-is-null", "STREAM-06", "`done` is null while it is not.", frame({**fields("A"), "done": None}) + stream()),
    broken("done-in-the-final-event-only", "STREAM-06", "`done` stands in the final event only.", frame(without(fields("A"), "done")) + final()),
    broken("two-final-events", "STREAM-09", "There are two final events.", stream() + final()),
    broken("no-final-event", "STREAM-09", "No event says that the answer is complete.", token("A") + token(" cherry")),
    broken("goes-on-after-the-end", "STREAM-09", "A token comes after the final event.", stream() + token("!")),
    broken("only-the-marker", "STREAM-09", "`[DONE]` stands for the final event.", token("A") + b"data: [DONE]\n\n"),
    broken("nothing-but-comments", "STREAM-09", "No event at all.", b": hello\n\n: bye\n\n"),
    broken("latency-is-a-string", "STREAM-11", "`latency_ms` is a string.", token("A") + final(latency_ms="812.4")),
    broken("latency-is-negative", "STREAM-11", "`latency_ms` is less than zero.", token("A") + final(latency_ms=-1.5)),
    broken("latency-is-null", "STREAM-11", "`latency_ms` is null.", token("A") + final(latency_ms=None)),
    broken("latency-is-a-boolean", "STREAM-11", "`latency_ms` is true.", token("A") + final(latency_ms=True)),
    broken("provider-is-null", "STREAM-12", "`provider` is null.", token("A", provider=None) + final()),
    broken("provider-is-empty", "STREAM-12", "`provider` is an empty string.", token("A", provider="") + final()),
    broken("provider-is-an-object", "STREAM-12", "`provider` is an object.", token("A", provider={"name": "ollama"}) + final()),
    broken("tokens-without-provider", "STREAM-13", "Only the final event names its provider.", frame(without(fields("A"), "provider")) + final()),
    broken("no-latency", "STREAM-14", "The final event has no `latency_ms`.", token("A") + frame(without(ending(), "latency_ms"))),
    broken("no-session-id", "STREAM-14", "The final event has no `session_id`.", token("A") + frame(without(ending(), "session_id"))),
    broken("usage-does-not-add-up", "STREAM-18", "`total_tokens` is not the sum.", token("A") + final(usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 4})),
    broken("ends-for-no-known-reason", "STREAM-18", "`finish_reason` is none of the known ones.", token("A") + final(finish_reason="eos_token")),
    broken("session-is-a-number", "HTTP-25", "`session_id` is a number.", token("A") + final(session_id=4711)),
)  # fmt: skip

BROKEN = (*TEXTS, *FIELDS)
