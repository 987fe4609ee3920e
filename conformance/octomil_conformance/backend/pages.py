"""The pages of the scripted backend: servers request them to find out whether an upstream is there."""

from dataclasses import dataclass
from urllib.parse import unquote

from octomil_conformance.backend.gated import JSON
from octomil_conformance.backend.response import Received, compact
from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS, scenario_of
from octomil_conformance.backend.witness import Provider
from octomil_conformance.exchange import Json


@dataclass(frozen=True)
class Page:
    status: int
    content_type: str
    body: bytes


def _json(value: Json, status: int = 200) -> Page:
    return Page(status, JSON, compact(value))


UNKNOWN = Page(404, "text/plain", b"404 page not found")
"""The answer to a request for an unknown path."""

_NAMES = [MODEL_PREFIX + name for name in SCENARIOS]
_OPENAI_MODELS = _json(
    {"object": "list", "data": [{"id": name, "object": "model"} for name in _NAMES]}
)
PAGES = {
    "/": Page(200, "text/plain", b"Ollama is running"),
    "/api/version": _json({"version": "0.5.4-scripted"}),
    "/api/tags": _json({"models": [{"name": name, "model": name} for name in _NAMES]}),
    "/api/ps": _json({"models": []}),
    "/v1": _json({"status": "ok"}),
    "/v1/models": _OPENAI_MODELS,
    "/models": _OPENAI_MODELS,
    "/health": _json({"status": "ok"}),
    "/v1/health": _json({"status": "ok"}),
}
DETAILS = {
    "details": {},
    "model_info": {},
    "capabilities": ["completion", "embedding"],
}
"""The answer to `/api/show`."""
MODELS = ("/v1/models/", "/models/")


def page_for(received: Received, model: str, backend: Provider) -> Page:
    """A slash at the end makes no difference. `model` is the one in the body."""
    path = received.path.rstrip("/") or "/"
    if path == "/api/show":
        return _about(model, backend, DETAILS)
    for prefix in MODELS:
        if path.startswith(prefix):
            name = unquote(path.removeprefix(prefix))
            return _about(name, backend, {"id": name, "object": "model"})
    return PAGES.get(path, UNKNOWN)


def _about(model: str, backend: Provider, fields: Json) -> Page:
    scenario = scenario_of(model, backend)
    if scenario is None or scenario.name == "http-404":
        return _json({"error": f'model "{model}" not found'}, 404)
    return _json(fields)
