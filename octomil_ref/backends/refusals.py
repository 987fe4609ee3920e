"""What an upstream's error means: its status and message as an UpstreamError (spec sections 9 and 10). Pure.

One table serves both dialects, and both error responses and error frames inside a stream.
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
"""Seconds that a client is asked to wait, at most: a day."""

_CONTEXT = re.compile(
    r"exceed_context_size|context_length_exceeded|context (length|size|window)|maximum context|too many tokens",
    re.IGNORECASE,
)
_MODALITY = re.compile(
    r"(does|do) not support|not supported by this model", re.IGNORECASE
)
_OLLAMA_OPTION = re.compile(rb'option \\?"')
"""In plain text or in JSON. Ollama answers with 500 if an option has the wrong type."""


def refusal(
    provider: str, status: int, body: bytes, retry_after: str | None = None
) -> UpstreamError:
    """What a response with an error `status` means."""
    message = _message(body)
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
        return _request_error(status, backend, message, body)
    return Broken(f"{backend} failed with status {status}.")


def reported(provider: str, body: bytes) -> UpstreamError:
    """What an error inside a response with status 200 means. It may carry a status of its own."""
    error = json.loads(body)["error"]
    code = error.get("code") if isinstance(error, dict) else None
    return refusal(provider, code if type(code) is int else 500, body)


def _request_error(
    status: int, backend: str, message: str, body: bytes
) -> UpstreamError:
    if status == 400 and _CONTEXT.search(body.decode("utf-8", "replace")):
        return ContextTooLong(f"The prompt is too long for the model: {message}")
    if status in (400, 422) and _MODALITY.search(message):
        return ModalityRefused(f"{backend} cannot do this: {message}")
    return RequestRefused(f"{backend} refused the request: {message}")


def _message(body: bytes) -> str:
    """The first line of the upstream's message, in any of the known shapes. Only text is ever quoted."""
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
    """The upstream's Retry-After if it is in plain seconds, up to MAX_RETRY_AFTER; else 1."""
    if not (retry_after and retry_after.isascii() and retry_after.isdecimal()):
        return "1"
    digits = retry_after.lstrip("0")[:6]  # enough to exceed the maximum
    return str(min(int(digits or "0"), MAX_RETRY_AFTER))
