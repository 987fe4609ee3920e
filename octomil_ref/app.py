"""The whole API on one screen."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon

from octomil_ref import resources
from octomil_ref.admission import Admission
from octomil_ref.auth import Auth
from octomil_ref.backends import Backend
from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.cors import cors
from octomil_ref.failures import handle_failures
from octomil_ref.fallback import Fallback
from octomil_ref.health import HealthCheck
from octomil_ref.host import Host
from octomil_ref.page import openapi_document, reference_page
from octomil_ref.request_id import RequestId
from octomil_ref.request_log import RequestLog, configure_logging
from octomil_ref.settings import Settings, load_or_exit, require_access_rule

App = falcon.App[falcon.Request, falcon.Response]


def create_app(settings: Settings | None = None) -> App:
    """The WSGI application. Without `settings` they come from the environment, and a wrong one ends the process."""
    settings = require_access_rule(settings) if settings else load_or_exit()
    configure_logging(settings)
    backends = create_backends(settings)
    fallback = Fallback(backends, settings.backend_cooldown)
    models = (fallback, Admission(settings.inflight_bound()), settings)
    pool = ThreadPoolExecutor(settings.batch_max_concurrency, "batch")
    health = HealthCheck(backends, settings.backend_timeout)

    app = App(middleware=_middleware(settings))
    app.req_options.strip_url_path_trailing_slash = True
    handle_failures(app)

    app.add_route("/api/v1/inference", resources.Inference(*models))
    app.add_route("/api/v1/inference/stream", resources.InferenceStream(*models))
    app.add_route("/api/v1/inference/batch", resources.Batch(*models, pool))
    app.add_route("/api/v1/embeddings", resources.Embeddings(*models))
    app.add_route("/api/v1/inference/health", resources.Health(health))
    app.add_route("/api/v1/health", resources.Liveness())
    app.add_route("/health", resources.Liveness())
    app.add_route("/openapi.json", resources.Static(openapi_document()))
    if settings.page:
        app.add_route("/", resources.Static(reference_page(settings)))
    return app


def create_backends(settings: Settings) -> list[Backend]:
    """Those that are configured, in the order in which they are asked."""
    backends: list[Backend] = []
    timeout, names = settings.backend_timeout, settings.model_aliases
    if settings.ollama_base_url:
        backends.append(
            OllamaBackend(settings.ollama_base_url, timeout, names["ollama"])
        )
    if settings.openai_api_endpoint:
        backends.append(
            OpenAIBackend(
                settings.openai_api_endpoint,
                settings.openai_api_key,
                timeout,
                names["openai"],
            )
        )
    return backends


def _middleware(settings: Settings) -> list[Any]:
    middleware = [RequestId(), RequestLog(), Host(), *cors(settings.cors_origins)]
    if not settings.allow_anonymous:
        middleware.append(Auth(settings.api_keys))
    return middleware
