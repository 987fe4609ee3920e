"""Parses the text of a variable. Each parser raises ValueError with what it expected. Pure."""

import math
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

PROVIDERS = ("ollama", "openai")


class SettingsError(ValueError):
    """A setting is wrong. The message is one line with the variable and the expected value."""


Aliases = Mapping[str, Mapping[str, str]]

_OLLAMA_NAMES = {
    "phi-4-mini": "phi4-mini",
    "phi-4": "phi4",
    "gemma-1b": "gemma3:1b",
    "gemma-4b": "gemma3:4b",
    "gemma-12b": "gemma3:12b",
    "gemma-27b": "gemma3:27b",
    "llama-3.2-1b": "llama3.2:1b",
    "llama-3.2-3b": "llama3.2:3b",
    "llama-3.1-8b": "llama3.1:8b",
    "llama-3.3-70b": "llama3.3:70b",
    "qwen-1.5b": "qwen2.5:1.5b",
    "qwen-3b": "qwen2.5:3b",
    "qwen-7b": "qwen2.5:7b",
    "smollm-360m": "smollm2:360m",
    "codellama-7b": "codellama:7b",
}

BUILT_IN_ALIASES: Aliases = {"ollama": _OLLAMA_NAMES, "openai": {}}
"""The model ids of the published catalogue, and Ollama's names for them."""


def aliases(text: str) -> Aliases:
    """`id=name` for all providers, `ollama:id=name` for one. Adds to the built-in aliases."""
    table = {provider: dict(BUILT_IN_ALIASES[provider]) for provider in PROVIDERS}
    for entry in names(text):
        model_id, equals, name = entry.partition("=")
        provider, colon, rest = model_id.partition(":")
        only_one = bool(colon) and provider in PROVIDERS
        model_id = (rest if only_one else model_id).strip()
        if not (equals and model_id and name.strip()):
            raise ValueError("entries like phi-4-mini=phi4-mini, separated by commas")
        for each in [provider] if only_one else PROVIDERS:
            table[each][model_id] = name.strip()
    return table


def unquoted(text: str) -> str:
    """`docker --env-file` keeps the quotes of a value, which a shell removes."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("a value without quotes around it")
    return text


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def keys(text: str) -> tuple[str, ...]:
    """Entries like `name:token` or `token`, separated by commas."""
    found = names(text)
    for entry in found:
        key_name_and_token(entry)
    return found


def key_name_and_token(entry: str) -> tuple[str, str]:
    """The name is empty if the entry has none. Only a token with a name may contain a colon."""
    if not entry.isprintable():  # pasted, or not UTF-8
        raise ValueError("entries of printable characters")
    name, colon, token = (part.strip() for part in unquoted(entry).partition(":"))
    if not colon:
        name, token = "", name
    if (colon and not name) or not token or " " in token:
        raise ValueError("entries like name:token or token")
    return name, unquoted(token)


FIXED_HEADERS = frozenset(
    [
        *("accept-encoding", "connection", "content-length", "content-type"),
        *("expect", "host", "transfer-encoding", "upgrade"),
    ]
)
"""Headers that the server sets itself, or that would change what a request means."""


def headers(text: str) -> Mapping[str, str]:
    pairs = [entry.partition(":") for entry in names(header_text(text))]
    found = {name.strip(): value.strip() for name, _, value in pairs}
    if not all(
        value and re.fullmatch(r"[\w-]+", name) and name.lower() not in FIXED_HEADERS
        for name, value in found.items()
    ):
        raise ValueError("headers like name: value, separated by commas")
    return found


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?")


def origins(text: str) -> tuple[str, ...]:
    # Browsers write origins in lower case.
    found = tuple(origin.rstrip("/").lower() for origin in names(text))
    for origin in found:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("* or origins like https://example.com")
    return found


def optional_url(text: str) -> str:
    return text and _url(text)


def openai_url(text: str) -> str:
    url = _url(text)
    return url if urlsplit(url).path else f"{url}/v1"


_URL = re.compile(
    r"https?://(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9._-]+)(:[0-9]+)?"
    r"(/([a-zA-Z0-9._~/-]|%[0-9a-fA-F]{2})*)?"
)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")  # raises for an invalid host name
        usable = _URL.fullmatch(text) and parts.port != 0  # raises for an invalid port
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "a URL like http://localhost:11434, without user, query and fragment"
        )
    return text.rstrip("/")


def host(text: str) -> str:
    """A name or an address. An IPv6 address may be in brackets, as in a URL."""
    found = text.removeprefix("[").removesuffix("]")
    if set(found) & set("*/[] ") or found.count(":") == 1:
        raise ValueError(
            "a name or an address without a port, such as 0.0.0.0 or :: for all"
        )
    return found


def api_key(text: str) -> str:
    if " " in header_text(text):
        raise ValueError("a key without spaces and without `Bearer`")
    return text


def header_text(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("printable ASCII")
    return text


MAX_SECONDS = 1_000_000


def positive_seconds(text: str) -> float:
    return _seconds(text, math.ulp(0), "a number of seconds above 0, at most 1000000")


def seconds(text: str) -> float:
    return _seconds(text, 0, "a number of seconds from 0 to 1000000")


def _seconds(text: str, lowest: float, expected: str) -> float:
    try:
        number = math.nan if "_" in text else float(text)
    except ValueError:
        number = math.nan
    if not lowest <= number <= MAX_SECONDS:
        raise ValueError(expected)
    return number


MAX_DIGITS = 18


def at_least_one(text: str) -> int:
    return _integer(text, 1, 10**MAX_DIGITS, "an integer of at least 1")


def port(text: str) -> int:
    return _integer(text, 0, 65535, "a port from 0 to 65535")


def _integer(text: str, lowest: int, highest: int, expected: str) -> int:
    digits = text.isdecimal() and len(text) <= MAX_DIGITS
    if not digits or not lowest <= int(text) <= highest:
        raise ValueError(expected)
    return int(text)


def switch(text: str) -> bool:
    on, off = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
    if text.lower() not in on + off:
        raise ValueError("1 or 0")
    return text.lower() in on


def log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ValueError("DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return text.upper()


def log_format(text: str) -> str:
    if text.lower() not in ("text", "json"):
        raise ValueError("text or json")
    return text.lower()


def shown(value: object) -> str:
    """A value as `octomil-ref config` prints it, and as the variable accepts it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(
            f"{provider}:{model_id}={name}"
            for provider, table in value.items()
            for model_id, name in table.items()
        )
    return str(value)
