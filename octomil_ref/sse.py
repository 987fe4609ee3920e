"""Server-sent events, as every SDK can read them (spec section 5.1). Pure.

One event is one `data:` line of JSON and a blank line. The JSON is ASCII: clients split lines at U+2028, U+2029 and
U+0085 too. A comment line is invisible to all of them and keeps what is between awake.
"""

from octomil_ref import json_text

CONTENT_TYPE = "text/event-stream"

COMMENT = b": the model is thinking\n\n"


def token(text: str, provider: bytes) -> bytes:
    """The event of one token; `provider` as JSON. Written out, since a stream consists of these."""
    return b'data: {"token":%b,"done":false,"provider":%b}\n\n' % (
        json_text.write(text),
        provider,
    )


def event(data: dict[str, object]) -> bytes:
    return b"data: " + json_text.write(data) + b"\n\n"
