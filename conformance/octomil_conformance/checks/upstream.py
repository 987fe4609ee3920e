"""What a server sent upstream, read the same in both dialects."""

from typing import Any

from octomil_conformance.backend import Call
from octomil_conformance.exchange import items


def parameters(call: Call) -> dict[str, Any]:
    """By the names of this API."""
    body = _object(call.body)
    options = _object(body.get("options"))
    if "num_predict" in options:
        options["max_tokens"] = options["num_predict"]
    if "max_completion_tokens" in body:
        body["max_tokens"] = body["max_completion_tokens"]
    return {**body, **options}


def messages(call: Call) -> list[tuple[Any, str]]:
    """(role, text) of each."""
    sent = map(_object, items(_object(call.body).get("messages")))
    return [(message.get("role"), _text(message.get("content"))) for message in sent]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(_object(part).get("text")) for part in items(content))


def _object(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
