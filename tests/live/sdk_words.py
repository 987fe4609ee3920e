"""The SDK's reaction to an answer, in words. Pure.

`made` is sdk_reader.py's result of one call, and `right` that of the same call to a good server, or None without a comparison.
"""

from collections.abc import Mapping
from typing import Any

Made = Mapping[str, Any]
FIELDS = ("provider", "latency_ms", "session_id")


def stream_words(made: Made, right: Made | None) -> str:
    """Empty when it made the same of both."""
    if right is None:
        return _raised(made) or _read(made)
    return (
        _unlike(made, right)
        or _other_text(_text(made), _text(right))
        or _other_end(made, right)
        or _other_fields(made, right)
    )


def embed_words(made: Made, right: Made | None) -> str:
    """Empty when it made the same of both."""
    if right is None:
        return _raised(made) or _read(made)
    unlike = _unlike(made, right)
    if unlike or "raised" in made:
        return unlike
    return _other_vectors(made, right) or _other_usage(made, right)


def _raised(made: Made) -> str:
    if made["hangs"]:
        return "hangs"
    if "raised" not in made:
        return ""
    said = len([each for each in made.get("tokens", ()) if each[0]])
    return f"raises {_name(made)}" + (f" after {said} tokens" if said else "")


def _name(made: Made) -> str:
    """`HTTPStatusError` 502"""
    name, _, status = made["raised"].partition(" ")
    return f"`{name}` {status}".strip()


def _unlike(made: Made, right: Made) -> str:
    """How the call ended; empty if it ended as with the good server."""
    if (made["hangs"], made.get("raised")) == (right["hangs"], right.get("raised")):
        return ""
    return _raised(made) or f"silently: {_read(made)} instead of {_name(right)}"


def _read(made: Made) -> str:
    if "vectors" in made:
        count = len(made["vectors"])
        return f"{count} vectors" if count > 1 else f"{count} vector"
    tokens = made["tokens"]
    count = len([each for each in tokens if each[0]])
    ending = "`done`" if tokens and tokens[-1][1] is True else "no `done`"
    return f"{count} tokens and {ending}"


def _text(made: Made) -> list[Any]:
    """The tokens joined to one text, or as they are if one of them is no text."""
    tokens = [each[0] for each in made["tokens"]]
    return ["".join(tokens)] if all(isinstance(t, str) for t in tokens) else tokens


def _other_text(text: list[Any], right: list[Any]) -> str:
    if text == right:
        return ""
    if not all(isinstance(token, str) for token in text):
        return "silently: tokens that are no text"
    if not text[0] and right[0]:
        return "silently: no text at all"
    order = (len(text[0]) > len(right[0])) - (len(text[0]) < len(right[0]))
    return f"silently: {('other', 'more', 'less')[order]} text"


def _other_end(made: Made, right: Made) -> str:
    one, other = ([bool(each[1]) for each in of["tokens"]].count(True) for of in (made, right))  # fmt: skip
    if one == other:
        return ""
    if "raised" in made:
        return f"`done`, and then raises {_name(made)}"
    return f"silently: `done` {one} times" if one else "silently: never `done`"


def _other_fields(made: Made, right: Made) -> str:
    pairs = zip(FIELDS, _fields(made), _fields(right), strict=True)
    wrong = [
        f"`{name}` is {value!r}"
        for name, value, wanted in pairs
        if _kind(value) != _kind(wanted)
    ]
    return f"silently: {', '.join(wrong)}" if wrong else ""


def _fields(made: Made) -> tuple[Any, ...]:
    """The provider of the first event, and the fields of the last event."""
    tokens = made["tokens"]
    return (tokens[0][2], *tokens[-1][3:]) if tokens else (None, None, None)


def _kind(value: Any) -> object:
    """The kind of a value: numbers and ids differ between two calls, but their kinds do not."""
    negative = isinstance(value, float) and value < 0
    return value is None, isinstance(value, str), negative


def _other_vectors(made: Made, right: Made) -> str:
    if made["vectors"] == right["vectors"]:
        return ""
    if len(made["vectors"]) < len(right["vectors"]):
        return "silently: a vector less"
    return "silently: other vectors"


def _other_usage(made: Made, right: Made) -> str:
    names = ("model", "prompt_tokens", "total_tokens")
    pairs = zip(names, made["rest"], right["rest"], strict=True)
    wrong = [
        f"`{name}` is {value!r}" for name, value, wanted in pairs if value != wanted
    ]
    return f"silently: {', '.join(wrong)}" if wrong else ""
