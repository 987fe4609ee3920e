"""What an upstream's failure means, from its status and its words to an UpstreamError (spec sections 9 and 10). Pure.

The same table serves an error answer and an error frame inside a stream, for both dialects.
"""

import json
import re

from octomil_ref.errors import (
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    RateLimited,
    RequestRefused,
    TimedOut,
    UpstreamError,
)

MAX_RETRY_AFTER = 86400
"""Seconds that a client is told to wait, at most: a day."""

_CONTEXT = re.compile(
    r"exceed_context_size|context_length_exceeded|context (length|size|window)|maximum context|too many tokens",
    re.IGNORECASE,
)
_MODALITY = re.compile(
    r"(does|do) not support|not supported by this model", re.IGNORECASE
)
_OLLAMA_OPTION = re.compile(rb'option \\?"')
"""In text or in JSON's: Ollama answers with 500 where an option has the wrong type."""


def refusal(
    provider: str, status: int, body: bytes, retry_after: str | None = None
) -> UpstreamError:
    """What an answer with an error `status` means."""
    words = _message(body)
    backend = f"The {provider} backend"
    later = {"Retry-After": _seconds(retry_after)}
    if status == 408:
        return TimedOut(f"{backend} did not answer in time.")
    if status == 429:
        return RateLimited(f"{backend} has too many requests.", later)
    if status == 503:
        return Busy(f"{backend} is overloaded or still starting.", later)
    if status in (401, 402, 403):
        return KeyRefused(f"{backend} did not accept this server's credentials.")
    if status == 404:
        return ModelNotFound(f"{backend} does not have this model.")
    names_option = status == 500 and _OLLAMA_OPTION.search(body)
    if 400 <= status < 500 or names_option:
        return _fault_of_the_request(status, backend, words, body)
    return Broken(f"{backend} failed with status {status}.")


def reported(provider: str, body: bytes) -> UpstreamError:
    """What an error inside an answer with status 200 means, which may bring a status of its own."""
    error = json.loads(body)["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return refusal(provider, code if type(code) is int else 500, body)


def _fault_of_the_request(
    status: int, backend: str, words: str, body: bytes
) -> UpstreamError:
    if status == 400 and _CONTEXT.search(body.decode("utf-8", "replace")):
        return ContextTooLong(f"The prompt is too long for the model: {words}")
    if status in (400, 422) and _MODALITY.search(words):
        return ModalityRefused(f"{backend} cannot do this: {words}")
    return RequestRefused(f"{backend} refused the request: {words}")


def _message(body: bytes) -> str:
    """The first line of what the upstream says, in whichever of its shapes; never a value that is not text."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = body.decode("utf-8", "replace")
    for key in ("error", "message", "detail"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    text = value.strip() if isinstance(value, str) else ""
    return text.splitlines()[0] if text else "it gave no reason"


def _seconds(retry_after: str | None) -> str:
    """The upstream's own Retry-After where it is plain seconds, as far as it makes sense; else 1."""
    if not (retry_after and retry_after.isascii() and retry_after.isdecimal()):
        return "1"
    digits = retry_after.lstrip("0")[:6]  # enough to be above the bound
    return str(min(int(digits or "0"), MAX_RETRY_AFTER))
