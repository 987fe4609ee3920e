"""Lists the settings for `octomil-ref config`, and warns about those that look like a mistake."""

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from octomil_ref import setting_values
from octomil_ref.settings import ENVIRONMENT, Settings, is_given, load, secret_file

MASKED = "(set, not shown)"

MEANINGS = {
    "OLLAMA_BASE_URL": "the URL of Ollama; an empty value switches Ollama off",
    "OLLAMA_API_KEY": "sent to Ollama as a Bearer token, as ollama.com needs it",
    "OPENAI_API_ENDPOINT": "the base URL of the fallback; if it has no path, `/v1` is added",
    "OPENAI_API_KEY": "sent to the fallback as a Bearer token",
    "OPENAI_API_HEADERS": "more headers for the fallback: `name: value`, separated by commas",
    "LLM_BACKEND_TIMEOUT": "seconds for one attempt: until the whole answer, or in a stream until the first token and then between two tokens",
    "LLM_BACKEND_LOAD_TIMEOUT": "seconds for one attempt while Ollama may still have to load the model",
    "OCTOMIL_BACKEND_COOLDOWN": "seconds for which a backend is asked last after it could not be reached, or after it timed out with the same model",
    "OCTOMIL_MODEL_ALIASES": "model ids and the upstream's names for them, added to the built-in ones: `phi-4-mini=phi4-mini,...`; the prefix `ollama:` or `openai:` limits an alias to that backend",
    "OCTOMIL_API_KEYS": "the API tokens that clients may use, separated by commas; `name:token` names one for the log",
    "OCTOMIL_API_KEYS_FILE": "a file with more API tokens or `name:token` entries, one per line; lines that start with `#` are comments",
    "OCTOMIL_ALLOW_ANONYMOUS": "`1` accepts requests without an API token",
    "OCTOMIL_CORS_ORIGINS": "the origins whose web pages may call the API, separated by commas, or `*`",
    "OCTOMIL_PAGE": "`0` switches the reference page at `/` off; `/openapi.json` stays",
    "OCTOMIL_SDK_ENDPOINTS": "`0` removes what SDKs and OpenAI clients call besides the five endpoints, such as `/v1/chat/completions`",
    "OCTOMIL_MAX_BODY_BYTES": "the largest request body; a larger one gets a 413",
    "OCTOMIL_MAX_INFLIGHT": "the most requests of one process that wait for a model at once; further ones get a 503 with `Retry-After`",
    "OCTOMIL_BATCH_MAX_INPUTS": "the most inputs in one batch",
    "OCTOMIL_BATCH_MAX_CONCURRENCY": "the most upstream calls at once for all batches of one process together",
    "OCTOMIL_EMBEDDINGS_MAX_INPUTS": "the most strings in one embeddings request",
    "OCTOMIL_HOST": "the address that `serve` and gunicorn listen on; `::` is all of IPv6 and IPv4",
    "OCTOMIL_PORT": "the port that `serve` and gunicorn listen on; `0` is any free port",
    "OCTOMIL_UNIX_SOCKET": "the path of a Unix socket to listen on instead of host and port; every user who can enter its folder can connect",
    "OCTOMIL_THREADS": "the threads of one process; a stream holds one from its start to its end",
    "OCTOMIL_WORKERS": "the processes, under gunicorn",
    "OCTOMIL_PIN_TO_CORE": "`1` keeps each process of `serve` and gunicorn on one processor core (Linux), which is faster with many threads",
    "OCTOMIL_CLIENT_TIMEOUT": "seconds without traffic after which `serve` and gunicorn close a connection",
    "OCTOMIL_SHUTDOWN_GRACE": "seconds that running requests have to finish after SIGTERM",
    "OCTOMIL_METRICS": "`1` serves metrics for Prometheus at `/metrics`",
    "OCTOMIL_METRICS_PUBLIC": "`1` serves the metrics without an API token",
    "PROMETHEUS_MULTIPROC_DIR": "the folder in which gunicorn's workers keep their metrics; its `.db` files are removed at the start",
    "OCTOMIL_LOG_LEVEL": "the lowest level that is logged: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    "OCTOMIL_LOG_FORMAT": "`text`, or `json` for one JSON object per line",
}
"""What each setting means, unit included. The README's table has the same sentences."""


@dataclass(frozen=True)
class Reported:
    """One setting as `octomil-ref config` prints it."""

    variable: str
    value: str
    """Masked if it is a secret."""
    source: str


def report(environ: Mapping[str, str] = ENVIRONMENT) -> list[Reported]:
    """Every setting as `serve` and the gunicorn settings use it."""
    settings = load(environ).with_threads()
    settings = replace(
        settings,
        max_inflight=settings.inflight_limit(),
        load_timeout=settings.load_timeout or settings.backend_timeout,
    )
    rows = []
    for setting in fields(Settings):
        value, about = getattr(settings, setting.name), setting.metadata
        text = MASKED if about["secret"] and value else setting_values.shown(value)
        rows.append(Reported(about["variable"], text, _source(setting, environ)))
    return rows


DERIVED = frozenset({"max_inflight", "load_timeout"})
"""Settings whose defaults follow from other settings."""


def _source(setting: Field[Any], environ: Mapping[str, str]) -> str:
    if is_given(setting, environ):
        return "environment"
    if secret_file(setting, environ)[1]:
        return "file"
    return "derived" if setting.name in DERIVED else "default"


def warnings(settings: Settings, environ: Mapping[str, str] = ENVIRONMENT) -> list[str]:
    """Warnings about probable mistakes: settings that do not go together, the URL of an endpoint, and variables with almost the name of a setting."""
    return [*_mismatches(settings), *_not_base_urls(settings), *_misspelt(environ)]


def _mismatches(settings: Settings) -> list[str]:
    has_tokens = settings.api_keys or settings.api_keys_file
    openai = settings.openai_api_endpoint
    for_openai = settings.openai_api_key or settings.openai_api_headers
    found = {
        "no backend: set OLLAMA_BASE_URL or OPENAI_API_ENDPOINT": not (
            settings.ollama_base_url or openai
        ),
        "OPENAI_API_KEY and OPENAI_API_HEADERS have no effect without OPENAI_API_ENDPOINT": (
            for_openai and not openai
        ),
        "OCTOMIL_ALLOW_ANONYMOUS is 1: the API tokens are not checked": (
            has_tokens and settings.allow_anonymous
        ),
        "OCTOMIL_METRICS_PUBLIC has no effect without OCTOMIL_METRICS": (
            settings.metrics_public and not settings.metrics
        ),
        "OCTOMIL_MAX_INFLIGHT is not below OCTOMIL_THREADS: health checks wait while all threads are busy": (
            settings.threads and (settings.inflight_limit() or 0) >= settings.threads
        ),
    }
    return [text for text, applies in found.items() if applies]


def _not_base_urls(settings: Settings) -> list[str]:
    urls = {
        "OLLAMA_BASE_URL": (settings.ollama_base_url, "/api/chat"),
        "OPENAI_API_ENDPOINT": (settings.openai_api_endpoint, "/chat/completions"),
    }
    return [
        f"{variable} ends with {ending[0]}, to which the server adds {added}"
        for variable, (url, added) in urls.items()
        if (ending := ENDPOINTS[variable].search(url))
    ]


ENDPOINTS = {
    "OLLAMA_BASE_URL": re.compile(r"/(v1|api(/\w+)?)$"),
    "OPENAI_API_ENDPOINT": re.compile(
        r"/v1/(v1|models)$|/(chat/completions|completions|embeddings)$"
    ),
}
"""Ends of URLs that are not the base URL of an upstream."""


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    known = [*MEANINGS, *(secret_file(each, {})[0] for each in fields(Settings))]
    found = {
        variable: near[0]
        for variable in environ
        if variable.startswith(PREFIXES) and variable not in known
        if (near := get_close_matches(variable, known, 1, SIMILAR))
    }
    others = {
        theirs: name
        for theirs, name in OTHER_NAMES.items()
        if environ.get(theirs) and name not in environ
    }
    return [
        f"{variable} is not a setting: did you mean {name}?"
        for variable, name in (found | others).items()
    ]


PREFIXES = ("OCTOMIL_", "LLM_", "OLLAMA_", "OPENAI_")

OTHER_NAMES = {
    "OPENAI_BASE_URL": "OPENAI_API_ENDPOINT",
    "OPENAI_API_BASE": "OPENAI_API_ENDPOINT",
    "OLLAMA_HOST": "OLLAMA_BASE_URL",
    "OLLAMA_URL": "OLLAMA_BASE_URL",
    "OLLAMA_API_BASE": "OLLAMA_BASE_URL",
    "WEB_CONCURRENCY": "OCTOMIL_WORKERS",
}
"""Variables of other programs, and the settings that mean the same."""

SIMILAR = 0.85  # difflib's ratio (0 to 1); from here on, a name is probably a misspelt setting
