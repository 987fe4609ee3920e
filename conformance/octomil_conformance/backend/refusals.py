"""Refusals of the scripted backend, in the words of real servers. Servers decide by some of them: `context`, `does not support`, `option "`."""

import time
from collections.abc import Callable
from email.utils import formatdate

from octomil_conformance.backend.acts import Scenario, echo
from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.response import compact

TRACE = 'Traceback (most recent call last):\n  File "/srv/upstream/seed.py", line 3, in read\nValueError: seed'
"""A message that a client must not see."""

REFUSALS: dict[str, Scenario] = {}


def _refusal(
    name: str,
    status: int,
    sentence: str,
    message: str,
    kind: str = "api_error",
    applies: Callable[[Reply], bool] = lambda reply: True,
    **headers: str | Callable[[], str],
) -> None:
    def act(reply: Reply) -> None:
        if not applies(reply):
            return echo(reply)
        error = reply.dialect.error(status, reply.line.quoting(message), kind)
        given = {name: reply.line.quoting(value) if isinstance(value, str) else value() for name, value in headers.items()}  # fmt: skip
        reply.line.answer(status, compact(error), **given)

    REFUSALS[name] = Scenario(name, f"{status}: {sentence}.", act)


def _later_portions(reply: Reply) -> None:
    if reply.echo[-1:] == [" 0"]:
        echo(reply)
    else:
        REFUSALS["http-500"].act(reply)


PAGE = b"<html><head><title>400 Bad Request</title></head><body><h1>400</h1>nginx, /srv/front/seed.py</body></html>\n"
"""A page from a server in front of the upstream."""


def _page(reply: Reply) -> None:
    reply.line.answer(400, PAGE, content_type="text/html")


REFUSALS["http-400-page"] = Scenario("http-400-page", "400 and a web page, with a path in it.", _page)  # fmt: skip
REFUSALS["later-portions-fail"] = Scenario(
    "later-portions-fail",
    "The echo of what begins with `text 0`, 500 for anything else, so that all portions of a request but the first fail.",
    _later_portions,
)
_refusal("http-400", 400, "a fault in the request", "invalid value for seed")
_refusal("http-400-trace", 400, "a fault in the request, with a traceback", TRACE)
_refusal(
    "http-400-path", 400, "a fault in the request, with a path", "no file /seed.py"
)
_refusal("http-402", 402, "the account is empty", "insufficient balance")
_refusal("http-403", 403, "the key may not do this", "forbidden for {key}")
_refusal("http-404", 404, "it does not have the model", "model not found at {host} for {key}")  # fmt: skip
_refusal("http-408", 408, "it stopped waiting", "request timeout")
_refusal("http-413", 413, "the request is too large", "request too large")
_refusal("http-422", 422, "a fault in the request", "unprocessable seed")
_refusal(
    "http-422-path", 422, "a fault in the request, with a path", "no file /seed.py"
)
_refusal("http-429", 429, "too many, Retry-After 7", "{key} at {host}: slow down", retry_after="7")  # fmt: skip
_refusal("http-429-later", 429, "too many, Retry-After 300", "slow down", retry_after="300")  # fmt: skip
_refusal("http-429-fraction", 429, "too many, Retry-After 1.5", "slow down", retry_after="1.5")  # fmt: skip
_refusal("http-429-long-fraction", 429, "too many, Retry-After 90.5", "slow down", retry_after="90.5")  # fmt: skip
_refusal("http-429-silent", 429, "too many, without Retry-After", "slow down")
_refusal("http-429-date", 429, "too many, Retry-After as a date", "slow down", retry_after="Fri, 02 Jan 2026 03:04:05 GMT")  # fmt: skip
_refusal("http-429-future", 429, "too many, Retry-After as a date in 90 seconds", "slow down", retry_after=lambda: formatdate(time.time() + 90, usegmt=True))  # fmt: skip
_refusal("http-429-quota", 429, "the account is empty", "You exceeded your current quota", "insufficient_quota")  # fmt: skip
_refusal("http-500-memory", 500, "no room for the model", "blob not found for a context of 8 tokens: model requires more system memory (8.0 GiB) than is available (2.0 GiB)")  # fmt: skip
_refusal(
    "http-500",
    500,
    "a fault of its own",
    "dial tcp {host}: unexpected server error",
    x_served_by="{host}",
    x_api_key="{key}",
)
_refusal("http-501", 501, "it does not do this", "not implemented")
_refusal("http-507", 507, "its disk is full", "insufficient storage")
_refusal("http-520", 520, "a proxy got no good response", "unknown error")
_refusal("http-529", 529, "overloaded", "overloaded")
_refusal("http-502", 502, "its own upstream failed", "bad gateway: {host}")
_refusal("http-503", 503, "overloaded or starting", "server busy: {host}")
_refusal("http-503-later", 503, "busy, Retry-After 8.5", "server busy", retry_after="8.5")  # fmt: skip
_refusal("http-504", 504, "its own upstream was late", "gateway timeout: {host}")
_refusal(
    "auth",
    401,
    "it refuses the key of the server",
    "Incorrect API key provided: {key}",
    x_served_by="{host}",
    x_api_key="{key}",
)
_refusal(
    "context-too-long",
    400,
    "the prompt is longer than the context of the model",
    "the request exceeds the available context size, maximum context length is 8 tokens",
    "exceed_context_size_error",
)
_refusal(
    "no-support",
    400,
    "the model cannot do this",
    '"conf-no-support" does not support chat',
)
_refusal(
    "no-seed",
    400,
    "it does not know `seed`; without one, the echo",
    "Unsupported parameter: 'seed' is not supported with this model.",
    applies=lambda reply: reply.ask.has_seed,
)
_refusal(
    "bad-option",
    500,
    "an option of the wrong type, in Ollama's words",
    'option "seed" must be of type integer',
)
