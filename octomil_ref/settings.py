"""Every setting: its variable, its default, its unit. The only module that reads the environment."""

import logging
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import Field, dataclass, field, fields, replace
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Self

from octomil_ref import keys
from octomil_ref import setting_values as parse
from octomil_ref.setting_values import SettingsError

log = logging.getLogger("octomil_ref")

SPARE_THREADS = 4
"""Threads that stay free for health checks and errors while all others wait for a model."""


def _var(
    variable: str, parser: Callable[[str], Any], default: Any, secret: bool = False
) -> Any:
    about = {"variable": variable, "parse": parser, "secret": secret}
    return field(default_factory=lambda: default, repr=not secret, metadata=about)


@dataclass(frozen=True)
class Settings:
    """One field per variable; `settings_report.MEANINGS` says what each means.

    An empty variable counts as not given, except for OLLAMA_BASE_URL.
    """

    ollama_base_url: str = _var(
        "OLLAMA_BASE_URL", parse.optional_url, "http://localhost:11434"
    )
    ollama_api_key: str = _var("OLLAMA_API_KEY", parse.api_key, "", secret=True)
    openai_api_endpoint: str = _var("OPENAI_API_ENDPOINT", parse.openai_url, "")
    openai_api_key: str = _var("OPENAI_API_KEY", parse.api_key, "", secret=True)
    openai_api_headers: Mapping[str, str] = _var(
        "OPENAI_API_HEADERS", parse.headers, MappingProxyType({}), secret=True
    )
    backend_timeout: float = _var("LLM_BACKEND_TIMEOUT", parse.positive_seconds, 30.0)
    load_timeout: float | None = _var(
        "LLM_BACKEND_LOAD_TIMEOUT", parse.positive_seconds, None
    )
    backend_cooldown: float = _var("OCTOMIL_BACKEND_COOLDOWN", parse.seconds, 5.0)
    model_aliases: Mapping[str, Mapping[str, str]] = _var(
        "OCTOMIL_MODEL_ALIASES", parse.aliases, parse.BUILT_IN_ALIASES
    )

    api_keys: tuple[str, ...] = _var("OCTOMIL_API_KEYS", parse.keys, (), secret=True)
    api_keys_file: str = _var("OCTOMIL_API_KEYS_FILE", str, "")
    allow_anonymous: bool = _var("OCTOMIL_ALLOW_ANONYMOUS", parse.switch, False)
    cors_origins: tuple[str, ...] = _var("OCTOMIL_CORS_ORIGINS", parse.origins, ())
    page: bool = _var("OCTOMIL_PAGE", parse.switch, True)
    sdk_endpoints: bool = _var("OCTOMIL_SDK_ENDPOINTS", parse.switch, True)

    max_body_bytes: int = _var(
        "OCTOMIL_MAX_BODY_BYTES", parse.at_least_one, 8 * 1024 * 1024
    )
    max_inflight: int | None = _var("OCTOMIL_MAX_INFLIGHT", parse.at_least_one, None)
    batch_max_inputs: int = _var("OCTOMIL_BATCH_MAX_INPUTS", parse.at_least_one, 256)
    batch_max_concurrency: int = _var(
        "OCTOMIL_BATCH_MAX_CONCURRENCY", parse.at_least_one, 32
    )
    embeddings_max_inputs: int = _var(
        "OCTOMIL_EMBEDDINGS_MAX_INPUTS", parse.at_least_one, 512
    )

    host: str = _var("OCTOMIL_HOST", parse.host, "127.0.0.1")
    port: int = _var("OCTOMIL_PORT", parse.port, 8000)
    unix_socket: str = _var("OCTOMIL_UNIX_SOCKET", str, "")
    threads: int | None = _var("OCTOMIL_THREADS", parse.at_least_one, None)
    workers: int = _var("OCTOMIL_WORKERS", parse.at_least_one, 1)
    pin_to_core: bool = _var("OCTOMIL_PIN_TO_CORE", parse.switch, False)
    client_timeout: float = _var("OCTOMIL_CLIENT_TIMEOUT", parse.positive_seconds, 75.0)
    shutdown_grace: float = _var("OCTOMIL_SHUTDOWN_GRACE", parse.seconds, 60.0)

    metrics: bool = _var("OCTOMIL_METRICS", parse.switch, False)
    metrics_public: bool = _var("OCTOMIL_METRICS_PUBLIC", parse.switch, False)
    metrics_folder: str = _var("PROMETHEUS_MULTIPROC_DIR", str, "")

    log_level: str = _var("OCTOMIL_LOG_LEVEL", parse.log_level, "INFO")
    log_format: str = _var("OCTOMIL_LOG_FORMAT", parse.log_format, "text")

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
        return keys.KeyRing(self.api_keys, self.api_keys_file)

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

ENVIRONMENT: Mapping[str, str] = os.environ


def load(environ: Mapping[str, str] = ENVIRONMENT) -> Settings:
    """The settings in the environment. Raises SettingsError for a wrong value."""
    given = {
        setting.name: value
        for setting in fields(Settings)
        if (value := _value(setting, environ)) is not None
    }
    settings = Settings(**given)
    urls = (settings.ollama_base_url, settings.openai_api_endpoint)
    if any(url.startswith("https:") for url in urls):
        for variable in CERTIFICATES:
            _check_certificates(variable, environ.get(variable, ""))
    return settings


CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that requests and OpenSSL read. If one is wrong, they fail late or not at all."""


def _check_certificates(variable: str, path: str) -> None:
    is_folder = os.path.isdir(path) and variable != "SSL_CERT_FILE"
    if not path or is_folder:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as ex:
        complaint = f"{variable}: expected a file with certificates, got {path!r}"
        if path not in _accepted:
            raise SettingsError(complaint) from ex
        log.error(complaint)
    _accepted.add(path)


_accepted: set[str] = set()
"""Files whose certificates were valid. A new worker of gunicorn inherits the set, and starts even if such a file is wrong by then."""


def load_or_exit() -> Settings:
    """The settings, complete enough to serve. Otherwise the process exits."""
    with or_exit():
        return require_complete(load())


@contextmanager
def or_exit() -> Iterator[None]:
    """If a setting is wrong, the process exits with one line on standard error."""
    try:
        yield
    except SettingsError as ex:
        raise SystemExit(f"octomil-ref: {ex}") from ex


def _value(setting: Field[Any], environ: Mapping[str, str]) -> Any:
    """The value of the variable or, for a secret, of the file that `…_FILE` names. None if neither is given."""
    if is_given(setting, environ):
        return _read(setting, environ[setting.metadata["variable"]])
    file_variable, path = secret_file(setting, environ)
    if not path:
        return None

    def content(text: str) -> Any:
        if not text.strip():
            raise ValueError("a file with the secret in it")
        return _parse(setting, text)

    return keys.SecretFile(file_variable, path, content).content()


def secret_file(setting: Field[Any], environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the file of a secret, and the path. The file of keys is a setting of its own: it is read again."""
    if not setting.metadata["secret"] or setting.name == "api_keys":
        return "", ""
    variable = f"{setting.metadata['variable']}_FILE"
    return variable, environ.get(variable, "")


def is_given(setting: Field[Any], environ: Mapping[str, str]) -> bool:
    variable = setting.metadata["variable"]
    return variable in environ and (
        environ[variable] != "" or setting.name == "ollama_base_url"
    )


def require_complete(settings: Settings) -> Settings:
    """Raises SettingsError unless there is a token or anonymous access is allowed, and metrics have their library."""
    settings.key_ring()
    if not settings.has_access_rule():
        raise SettingsError(
            "OCTOMIL_API_KEYS: no token is set; set one or more separated by commas, "
            "name a file in OCTOMIL_API_KEYS_FILE, or set OCTOMIL_ALLOW_ANONYMOUS=1"
        )
    if settings.metrics and find_spec("prometheus_client") is None:
        raise SettingsError(
            "OCTOMIL_METRICS: the library prometheus-client is missing: pip install '.[metrics]'"
        )
    return settings


def publish(**variables: object) -> None:
    """Sets the variables for this process and those that it starts. None or an empty text removes one."""
    for variable, value in variables.items():
        if value in (None, ""):
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = str(value)


def _parse(setting: Field[Any], text: str) -> Any:
    return setting.metadata["parse"](parse.unquoted(text.strip()))


def _read(setting: Field[Any], text: str) -> Any:
    try:
        return _parse(setting, text)
    except ValueError as ex:
        variable = setting.metadata["variable"]
        # A URL with a user or a query may hold a password.
        secret = setting.metadata["secret"] or set(text) & set("@?")
        given = "a value that is not shown" if secret else repr(text)
        raise SettingsError(f"{variable}: expected {ex}, got {given}") from ex
