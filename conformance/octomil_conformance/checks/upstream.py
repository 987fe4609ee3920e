"""Reads the server's requests to upstreams in the same way for both dialects: only the fields that such an upstream reads."""

from typing import Any

from octomil_conformance.backend import Call
from octomil_conformance.exchange import Json, items

BESIDE_OPTIONS = ("think", "format", "keep_alive", "logprobs", "top_logprobs")
"""Parameters that Ollama reads beside `options`. It reads all others inside."""

NO_PARAMETERS = (
    *("model", "messages", "stream", "stream_options"),
    *("think", "truncate", "shift", "store", "user"),
)
"""Fields of the request itself, and those that a server may add to keep answers as usual, such as `"think": false`."""
NO_CONTENT = "(no content)"


def parameters(call: Call) -> Json:
    """The parameters by the names of this API, with `stop` as an array."""
    body = _object(call.body)
    if call.path.startswith("/api/"):
        beside = {name: body[name] for name in BESIDE_OPTIONS if name in body}
        options = _object(body.get("options"))
        read = {name: options[name] for name in options if name not in BESIDE_OPTIONS}
        sent = _renamed(read | beside, "num_predict")
    else:
        older = {"max_tokens": body["max_tokens"]} if "max_tokens" in body else {}
        sent = _renamed(body, "max_completion_tokens") | older
    if isinstance(sent.get("stop"), str):
        sent["stop"] = [sent["stop"]]
    return sent


def known(parameters: Json, call: Call) -> Json:
    """The parameters that the dialect has. OpenAI's has no `top_k`."""
    lacking = () if call.path.startswith("/api/") else ("top_k",)
    return {name: parameters[name] for name in parameters if name not in lacking}


def messages(call: Call) -> list[tuple[Any, str]]:
    """(role, text) of each. Ollama reads a message without `content` as an empty one; OpenAI's API refuses it."""
    sent = map(_object, items(_object(call.body).get("messages")))
    none = "" if call.path.startswith("/api/") else NO_CONTENT
    return [(each.get("role"), _text(each.get("content"), none)) for each in sent]


def fields_of_messages(call: Call) -> list[Json]:
    """The messages as they were sent, without fields that are empty."""
    sent = map(_object, items(_object(call.body).get("messages")))
    return [{name: each[name] for name in each if each[name]} for each in sent]


def _renamed(sent: Json, limit: str) -> Json:
    """The parameters with `limit` renamed to `max_tokens`, a name that this dialect does not read itself."""
    renamed = {name: value for name, value in sent.items() if name != "max_tokens"}
    if limit in renamed:
        renamed["max_tokens"] = renamed.pop(limit)
    return renamed


def _text(content: Any, none: str) -> str:
    if isinstance(content, str):
        return content
    texts = [str(_object(part).get("text")) for part in items(content)]
    return none if content is None else "\n".join(texts)


def _object(value: Any) -> Json:
    return dict(value) if isinstance(value, dict) else {}
