"""Every setting: its variable, its default, its unit. The only module that reads the environment."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Self

from octomil_ref import keys
from octomil_ref import setting_values as parse
from octomil_ref.secret_files import SecretFile

SPARE_THREADS = 4
"""Threads that stay free for health checks and errors while all others wait for a model."""

MASKED = "(set, not shown)"


class SettingsError(ValueError):
    """A setting is wrong. The message is one line with the variable and the expected value."""


def _var(
    name: str, parser: Callable[[str], Any], default: Any, secret: bool = False
) -> Any:
    return field(
        default_factory=lambda: default,
        repr=not secret,
        metadata={"variable": name, "parse": parser, "secret": secret},
    )


@dataclass(frozen=True)
class Settings:
    """One field per variable. An empty variable counts as not given, except for OLLAMA_BASE_URL."""

    ollama_base_url: str = _var(
        "OLLAMA_BASE_URL", parse.optional_url, "http://localhost:11434"
    )
    """Where Ollama listens. Empty: Ollama is off."""
    ollama_api_key: str = _var("OLLAMA_API_KEY", parse.header_text, "", secret=True)
    """Sent to Ollama as a Bearer token, as ollama.com wants it. Like each secret it may be in a file: `OLLAMA_API_KEY_FILE`."""
    openai_api_endpoint: str = _var("OPENAI_API_ENDPOINT", parse.openai_url, "")
    """Base URL of an OpenAI-compatible server. Without a path `/v1` is added."""
    openai_api_key: str = _var("OPENAI_API_KEY", parse.header_text, "", secret=True)
    """Sent to the OpenAI-compatible server as a Bearer token."""
    openai_api_headers: Mapping[str, str] = _var(
        "OPENAI_API_HEADERS", parse.headers, MappingProxyType({}), secret=True
    )
    """More headers for the OpenAI-compatible server: `name: value`, separated by commas."""
    backend_timeout: float = _var("LLM_BACKEND_TIMEOUT", parse.positive, 30.0)
    """Seconds per attempt: until the whole answer, or until a stream's first token and then between two tokens."""
    backend_cooldown: float = _var("OCTOMIL_BACKEND_COOLDOWN", parse.not_negative, 5.0)
    """Seconds for which a backend that could not be reached or did not answer in time is asked last."""
    model_aliases: Mapping[str, Mapping[str, str]] = _var(
        "OCTOMIL_MODEL_ALIASES", parse.aliases, parse.BUILT_IN_ALIASES
    )
    """Model ids and the names that upstreams use for them, by provider: `a=b,openai:c=d`. Adds to the built-in ones."""

    api_keys: tuple[str, ...] = _var("OCTOMIL_API_KEYS", parse.keys, (), secret=True)
    """Tokens of clients, separated by commas. `name:token` gives a token the name by which the log calls it."""
    api_keys_file: str = _var(keys.FILE_VARIABLE, str, "")
    """A file with more tokens, one per line; `#` starts a comment line. It is read again when it changes."""
    allow_anonymous: bool = _var("OCTOMIL_ALLOW_ANONYMOUS", parse.switch, False)
    """Require no token."""
    cors_origins: tuple[str, ...] = _var("OCTOMIL_CORS_ORIGINS", parse.origins, ())
    """Origins of web pages that may call: `*`, or a list separated by commas. Empty: no CORS headers."""
    page: bool = _var("OCTOMIL_PAGE", parse.switch, True)
    """Serve the reference page at `/`. The OpenAPI document is always served."""
    sdk_endpoints: bool = _var("OCTOMIL_SDK_ENDPOINTS", parse.switch, True)
    """Serve what SDKs and OpenAI clients call besides the five endpoints, such as `/v1/chat/completions`."""

    max_body_bytes: int = _var(
        "OCTOMIL_MAX_BODY_BYTES", parse.at_least_one, 8 * 1024 * 1024
    )
    """Bytes of a request body, at most."""
    max_inflight: int | None = _var("OCTOMIL_MAX_INFLIGHT", parse.at_least_one, None)
    """Requests of one process that wait for a model at once. None: threads less 4 if the threads are known, else no limit."""
    batch_max_inputs: int = _var("OCTOMIL_BATCH_MAX_INPUTS", parse.at_least_one, 256)
    """Inputs of one batch, at most."""
    batch_max_concurrency: int = _var(
        "OCTOMIL_BATCH_MAX_CONCURRENCY", parse.at_least_one, 32
    )
    """Concurrent upstream calls of all batches of one process together."""
    embeddings_max_inputs: int = _var(
        "OCTOMIL_EMBEDDINGS_MAX_INPUTS", parse.at_least_one, 512
    )
    """Strings of one embeddings request, at most."""

    host: str = _var("OCTOMIL_HOST", parse.host, "127.0.0.1")
    """Where `octomil-ref serve` and the gunicorn settings listen."""
    port: int = _var("OCTOMIL_PORT", parse.port, 8000)
    """TCP port; 0: any free one."""
    unix_socket: str = _var("OCTOMIL_UNIX_SOCKET", str, "")
    """The path of a Unix socket to listen on, in place of host and port."""
    threads: int | None = _var("OCTOMIL_THREADS", parse.at_least_one, None)
    """Threads of one process; each serves one request or stream at a time. `serve` and the gunicorn settings start 64."""
    workers: int = _var("OCTOMIL_WORKERS", parse.at_least_one, 1)
    """Processes of gunicorn."""
    pin_to_core: bool = _var("OCTOMIL_PIN_TO_CORE", parse.switch, False)
    """Keep each process on one processor core, if the system supports it."""
    client_timeout: float = _var("OCTOMIL_CLIENT_TIMEOUT", parse.positive, 75.0)
    """Seconds without a byte after which a connection that waits for its client is closed."""
    shutdown_grace: float = _var("OCTOMIL_SHUTDOWN_GRACE", parse.not_negative, 60.0)
    """Seconds that running requests have to finish after SIGTERM."""

    log_level: str = _var("OCTOMIL_LOG_LEVEL", parse.log_level, "INFO")
    """DEBUG, INFO, WARNING, ERROR or CRITICAL. A request is logged at INFO."""
    log_format: str = _var("OCTOMIL_LOG_FORMAT", parse.log_format, "text")
    """`text` or `json`: one line per event on standard error."""

    def url_host(self) -> str:
        """`host` as a URL writes it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def address(self) -> str:
        """Where the server listens, as gunicorn writes it: `127.0.0.1:8000` or `unix:/run/octomil.sock`."""
        if self.unix_socket:
            return f"unix:{self.unix_socket}"
        return f"{self.url_host()}:{self.port}"

    def has_access_rule(self) -> bool:
        """True if there are tokens, or none is required."""
        return bool(self.api_keys or self.api_keys_file or self.allow_anonymous)

    def key_ring(self) -> keys.KeyRing:
        """Raises SettingsError if the file could never be read."""
        try:
            return keys.KeyRing(self.api_keys, self.api_keys_file)
        except ValueError as ex:
            raise SettingsError(str(ex)) from ex

    def with_threads(self) -> Self:
        """The settings of a server that starts its own threads."""
        return replace(self, threads=self.threads or DEFAULT_THREADS)

    def inflight_limit(self) -> int | None:
        """Requests that may wait for a model at once; None: no limit."""
        if self.max_inflight is not None or self.threads is None:
            return self.max_inflight
        return max(1, self.threads - SPARE_THREADS)


DEFAULT_THREADS = 64

IDLE_CONNECTIONS = 500
"""Connections to one process beyond its threads. With those to upstreams they fit into the 1,024 descriptors that a process
usually has on Linux."""


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError for a wrong value."""
    given = {
        setting.name: _read(setting, text)
        for setting in fields(Settings)
        if (text := _text(setting, environ)) is not None
    }
    return Settings(**given)


def load_or_exit() -> Settings:
    """The settings, complete enough to serve. Otherwise the process exits."""
    with or_exit():
        return require_access_rule(load())


def warnings(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[str]:
    """What is allowed but looks like a mistake: no backend, and variables that are almost called like a setting."""
    found = []
    if not settings.ollama_base_url and not settings.openai_api_endpoint:
        found.append("no backend: set OLLAMA_BASE_URL or OPENAI_API_ENDPOINT")
    known = [setting.metadata["variable"] for setting in fields(Settings)]
    for variable in environ:
        if variable.startswith("OCTOMIL_") and variable not in known:
            near = get_close_matches(variable, known, 1, SIMILAR)
            found += [f"{variable} is not a setting: is it {name}?" for name in near]
    return found


SIMILAR = 0.85
"""How much two names have in common, from 0 to 1, if one is probably the other misspelt."""


@contextmanager
def or_exit() -> Iterator[None]:
    """If a setting is wrong, the process exits with one line on standard error."""
    try:
        yield
    except SettingsError as ex:
        raise SystemExit(f"octomil-ref: {ex}") from ex


def _text(setting: Field[Any], environ: Mapping[str, str]) -> str | None:
    """What the variable holds, or for a secret the file that `…_FILE` names."""
    if is_given(setting, environ):
        return environ[setting.metadata["variable"]]
    file_variable, path = _file(setting, environ)
    if not path:
        return None
    try:
        return SecretFile(file_variable, path, _not_blank).content()
    except ValueError as ex:
        raise SettingsError(str(ex)) from ex


def _file(setting: Field[Any], environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the file of a secret, and the path. The keys' file has a field of its own: it is read again."""
    variable = f"{setting.metadata['variable']}_FILE"
    has_file = setting.metadata["secret"] and setting.name != "api_keys"
    return variable, environ.get(variable, "") if has_file else ""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a file with the secret in it")
    return text


def is_given(setting: Field[Any], environ: Mapping[str, str]) -> bool:
    variable = setting.metadata["variable"]
    return variable in environ and (
        environ[variable] != "" or setting.name == "ollama_base_url"
    )


def require_access_rule(settings: Settings) -> Settings:
    """Raises SettingsError unless there is a token or anonymous access is allowed."""
    settings.key_ring()
    if not settings.has_access_rule():
        raise SettingsError(
            "OCTOMIL_API_KEYS: no token is set; set one or more separated by commas, "
            "name a file in OCTOMIL_API_KEYS_FILE, or set OCTOMIL_ALLOW_ANONYMOUS=1"
        )
    return settings


def report(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str, str]]:
    """Variable, value and source of every setting as `serve` and the gunicorn settings use it. Secrets are masked."""
    settings = load(environ).with_threads()
    settings = replace(settings, max_inflight=settings.inflight_limit())
    rows = []
    for setting in fields(Settings):
        value = getattr(settings, setting.name)
        hidden = setting.metadata["secret"] and value
        text = MASKED if hidden else parse.shown(value)
        rows.append((setting.metadata["variable"], text, _source(setting, environ)))
    return rows


def publish(**variables: object) -> None:
    """Sets the variables that are not None, for this process and those that it starts."""
    for variable, value in variables.items():
        if value is not None:
            os.environ[variable] = str(value)


def _read(setting: Field[Any], text: str) -> Any:
    try:
        return setting.metadata["parse"](text.strip())
    except ValueError as ex:
        variable = setting.metadata["variable"]
        # A URL with a user or a query may hold a password.
        secret = setting.metadata["secret"] or set(text) & set("@?")
        given = "what is set" if secret else repr(text)
        raise SettingsError(f"{variable}: expected {ex}, got {given}") from ex


def _source(setting: Field[Any], environ: Mapping[str, str]) -> str:
    if is_given(setting, environ):
        return "environment"
    if _file(setting, environ)[1]:
        return "file"
    return "derived" if setting.name == "max_inflight" else "default"
