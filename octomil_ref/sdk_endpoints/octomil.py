"""The endpoints that Octomil's SDKs call besides inference. They always answer that the model runs in the cloud, on this server.

Without these endpoints the SDKs log errors, Node has no route, and Browser's `predict()` runs on the device.
"""

import uuid
from dataclasses import dataclass

from falcon import Request, Response

from octomil_ref import json_codec
from octomil_ref.body import drain
from octomil_ref.payloads import as_object
from octomil_ref.resources import Gateway


@dataclass(frozen=True)
class Route:
    """POST /api/v1/route: where to run a model. iOS reads the first four fields as strings."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        as_object("", self.gateway.body(req))
        route = {
            "id": uuid.uuid4().hex,
            "target": "cloud",
            "format": "remote",
            "engine": "cloud",
            "fallback_target": None,
        }
        resp.data = json_codec.encode(route)


@dataclass(frozen=True)
class RuntimePlan:
    """POST /api/v2/runtime/plan: the candidates that may run a model. Node needs at least one."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        asked = as_object("", self.gateway.body(req))
        cloud = {
            "locality": "cloud",
            "engine": "cloud",
            "priority": 0,
            "confidence": 1.0,
            "reason": "this server runs models in the cloud",
            "gates": [],
        }
        plan = {
            "model": asked.get("model") or "",
            "capability": asked.get("capability") or "",
            "policy": asked.get("routing_policy") or "cloud_only",
            "candidates": [cloud],
            "fallback_candidates": [],
            "fallback_allowed": False,
            "plan_ttl_seconds": 60,
        }
        resp.data = json_codec.encode(plan)


class CatalogManifest:
    """GET /api/v2/catalog/manifest: the models to download; there are none."""

    public = True  # the Python SDK asks at its import, before it has a token

    def on_get(self, req: Request, resp: Response) -> None:
        resp.data = json_codec.encode({"version": "1", "models": []})


class TelemetryEvents:
    """POST /api/v2/telemetry/events: accepted and discarded."""

    def on_post(self, req: Request, resp: Response) -> None:
        drain(req)
        resp.status = 202
        resp.data = json_codec.encode({"accepted": True})
