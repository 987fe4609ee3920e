"""What a client makes of an answer that reads it by the standards: server-sent events as HTML has them, and strict JSON."""

import json
import re
from typing import Any

from octomil_conformance.corpus.entry import Entry

LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r)")


def reading(entry: Entry) -> dict[str, Any]:
    """Of a stream its tokens that are not empty, and its first final event; of other answers the JSON. Null: there is none."""
    if not entry.is_stream:
        return {"fields": strict(entry.body.decode("utf-8", "surrogateescape"))}
    values = [strict(text) for text in events(entry.body)]
    objects = [value for value in values if isinstance(value, dict)]
    tokens = [value.get("token") for value in objects]
    finals = [value for value in objects if value.get("done") is True]
    return {
        "tokens": [token for token in tokens if isinstance(token, str) and token],
        "final": next(iter(finals), None),
    }


def events(body: bytes) -> list[str]:
    """The data of each event. One that no blank line ends is none."""
    found, data = [], ""
    for line in LINE.findall(body.decode("utf-8", "replace").removeprefix("\ufeff")):
        name, _, value = line.partition(":")
        if name == "data":
            data += value.removeprefix(" ") + "\n"
        elif not line and data:
            found.append(data.removesuffix("\n"))
            data = ""
    return found


def strict(text: str) -> Any:
    """None for what is no JSON."""
    try:
        text.encode()
        return json.loads(text, parse_constant=_not_json)
    except ValueError:
        return None


def _not_json(name: str) -> None:
    raise ValueError(name)
