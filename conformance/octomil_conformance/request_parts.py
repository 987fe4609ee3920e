"""The parts of the requests that checks send: headers, prompts, JSON, and what is needed to repeat a request."""

import json
from collections.abc import Callable, Mapping

from octomil_conformance.backend.gated import HELD_AT_MOST
from octomil_conformance.backend.scenarios import MODEL_PREFIX
from octomil_conformance.exchange import Headers, Json
from octomil_conformance.target import OTHER_PROMPT

MAX_TOKENS = 4

USUAL_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Accept-Encoding": "gzip",
    "User-Agent": "octomil-conformance",
}
NEEDS_BACKEND = "octomil-conformance backend behind the server"
NEEDS_GATE = (
    f"the suite's gate: without it the answer is held back for {HELD_AT_MOST:g} s"
)


def headers(
    token: str | None,
    changes: Mapping[str, str | None],
    has_body: bool,
    length: int | None,
) -> Headers:
    """A header of None is left out. A body in chunks has no length."""
    found: dict[str, str | None] = {**USUAL_HEADERS}
    if not has_body:
        del found["Content-Type"]
    if token:
        found["Authorization"] = f"Bearer {token}"
    found |= changes
    given = [(name, value) for name, value in found.items() if value is not None]
    names = {name.lower() for name, _ in given}
    if length is not None and "transfer-encoding" not in names:
        given.append(("Content-Length", str(length)))
    return tuple(given)


def needs(body: bytes) -> list[str]:
    """What is needed, besides the server, to repeat a request with this body to a server with the scripted backend."""
    if MODEL_PREFIX.encode() not in body:
        return []
    return [NEEDS_BACKEND, NEEDS_GATE] if b"gated" in body else [NEEDS_BACKEND]


def content(
    profile: str, prompt: str | list[str], tag: Callable[..., str], limited: bool
) -> Json:
    """The fields with the prompt, texts or inputs of a request. `tag` is `Api.tag`."""
    parameters = {"parameters": {"max_tokens": MAX_TOKENS}} if limited else {}
    if profile == "embed":
        one = isinstance(prompt, str)
        return {"input": tag(prompt) if one else [tag(text) for text in prompt]}
    if profile == "batch":
        texts = prompt if isinstance(prompt, list) else [prompt, OTHER_PROMPT]
        inputs = [
            {"messages": messages(tag(text, str(index)))}
            for index, text in enumerate(texts)
        ]
        return {"inputs": inputs, **parameters}
    texts = prompt if isinstance(prompt, list) else [prompt]
    return {"messages": messages(*map(tag, texts)), **parameters}


def messages(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def json_bytes(value: object) -> bytes:
    """As JavaScript and Swift write it: characters as themselves, only half a surrogate pair as an escape."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
