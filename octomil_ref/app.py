"""The whole API on one screen."""

import logging
from concurrent.futures import ThreadPoolExecutor

from octomil_ref import resources
from octomil_ref.backends import Backend
from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.fallback import Fallback, InflightLimit
from octomil_ref.health import HealthCheck
from octomil_ref.keys import KeyRing
from octomil_ref.logs import configure_logging
from octomil_ref.metrics import Metrics, Observers
from octomil_ref.middleware import App, add_error_handlers, middleware
from octomil_ref.page import openapi_document, reference_page
from octomil_ref.sdk_endpoints import add_sdk_endpoints
from octomil_ref.settings import Settings, load_or_exit, require_complete
from octomil_ref.settings_report import warnings

log = logging.getLogger("octomil_ref")


def create_app(settings: Settings | None = None, keys: KeyRing | None = None) -> App:
    """The WSGI application. Without `settings` it reads the environment, and exits if a variable is wrong."""
    settings = require_complete(settings) if settings else load_or_exit()
    keys = keys or settings.key_ring()
    configure_logging(settings)
    for text in warnings(settings):
        log.warning(text)
    backends = create_backends(settings)
    observers = Observers(Metrics(settings) if settings.metrics else None)
    fallback = Fallback(backends, settings.backend_cooldown, observers.on_attempt)
    pool = ThreadPoolExecutor(settings.batch_max_concurrency, "batch")
    health = HealthCheck(backends, settings.backend_timeout)
    limit = InflightLimit(settings.inflight_limit(), observers.in_flight)

    app = App(middleware=middleware(settings, keys, observers.on_end))
    app.req_options.strip_url_path_trailing_slash = True
    add_error_handlers(app)

    gateway = resources.Gateway(fallback, limit, settings)
    app.add_route("/api/v1/inference", resources.Inference(gateway))
    app.add_route("/api/v1/inference/stream", resources.InferenceStream(gateway))
    app.add_route("/api/v1/inference/batch", resources.Batch(gateway, pool))
    app.add_route("/api/v1/embeddings", resources.Embeddings(gateway))
    app.add_route("/api/v1/inference/health", resources.Health(health))
    app.add_route("/api/v1/health", resources.Liveness())
    app.add_route("/health", resources.Liveness())
    app.add_route("/openapi.json", resources.Static(openapi_document(settings)))
    if observers.metrics:
        shown = resources.Exposition(observers.metrics, settings.metrics_public)
        app.add_route("/metrics", shown)
    if settings.sdk_endpoints:
        add_sdk_endpoints(app, gateway, backends)
    if settings.page:
        app.add_route("/", resources.Static(reference_page(settings)))
    return app


def create_backends(settings: Settings) -> list[Backend]:
    """The configured backends, in the order in which they are asked."""
    backends: list[Backend] = []
    timeout, names = settings.backend_timeout, settings.model_aliases
    if url := settings.ollama_base_url:
        key, load_timeout = settings.ollama_api_key, settings.load_timeout
        backends.append(OllamaBackend(url, timeout, names["ollama"], key, load_timeout))
    if url := settings.openai_api_endpoint:
        key, headers = settings.openai_api_key, settings.openai_api_headers
        backends.append(OpenAIBackend(url, key, timeout, names["openai"], headers))
    return backends
