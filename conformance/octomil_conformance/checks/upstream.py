"""What a server sent upstream, read the same in both dialects."""

from typing import Any

from octomil_conformance.backend import Call


def parameters(call: Call) -> dict[str, Any]:
    """By the names of this API."""
    body = dict(call.body or {})
    options = dict(body.get("options") or {})
    if "num_predict" in options:
        options["max_tokens"] = options["num_predict"]
    if "max_completion_tokens" in body:
        body["max_tokens"] = body["max_completion_tokens"]
    return {**body, **options}


def messages(call: Call) -> list[tuple[str, str]]:
    """(role, text) of each."""
    return [
        (message["role"], _text(message["content"]))
        for message in (call.body or {}).get("messages", [])
    ]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [])
