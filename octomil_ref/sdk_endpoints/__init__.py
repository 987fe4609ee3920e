"""The endpoints that SDKs and OpenAI clients call besides the five of the specification (its appendix A). `OCTOMIL_SDK_ENDPOINTS=0` removes them.

openai.py           POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models
openai_bodies.py    OpenAI's request bodies as the API's own, the API's results as OpenAI's
octomil.py          what Octomil's SDKs ask before or beside inference: route, plan, manifest, telemetry
"""

from collections.abc import Sequence
from typing import NoReturn

from falcon import Request, Response

from octomil_ref.backends import Backend
from octomil_ref.errors import NotFound
from octomil_ref.middleware import App
from octomil_ref.resources import Gateway
from octomil_ref.sdk_endpoints import octomil, openai


def add_sdk_endpoints(app: App, gateway: Gateway, backends: Sequence[Backend]) -> None:
    settings = gateway.settings
    timeout, aliases = settings.backend_timeout, settings.model_aliases
    index = openai.ModelIndex(openai.ModelList(backends, timeout, aliases))
    app.add_route("/v1/chat/completions", openai.ChatCompletions(gateway))
    app.add_route("/v1/embeddings", openai.EmbeddingVectors(gateway))
    app.add_route("/v1/models", index)
    app.add_route("/v1/models/{model_id:path}", index)  # ids may hold slashes
    app.add_sink(_nothing_else, "/v1/")
    app.add_route("/api/v1/route", octomil.Route(gateway))
    app.add_route("/api/v2/runtime/plan", octomil.RuntimePlan(gateway))
    app.add_route("/api/v2/catalog/manifest", octomil.CatalogManifest())
    app.add_route("/api/v2/telemetry/events", octomil.TelemetryEvents())


def _nothing_else(req: Request, resp: Response, **_: object) -> NoReturn:
    """For clients that call `/v1/responses` or `/v1/completions`, which OpenAI also has."""
    raise NotFound(
        "There is nothing at this path. Below /v1/ there are chat/completions, embeddings and models."
    )
