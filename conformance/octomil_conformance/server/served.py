"""Builds servers from endpoints, a gateway, upstreams, and the layers of a mutant or a variant."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from octomil_conformance.config import BASE_PATH, PATHS
from octomil_conformance.server.app import App
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.gateway import Gateway
from octomil_conformance.server.layers import Layer, Request, Response, Server, around
from octomil_conformance.server.scenarios import scenario_in
from octomil_conformance.server.subjects import Subject

__all__ = ["PROFILES", "Upstreams", "served"]

PROFILES = {BASE_PATH + path: name for name, path in PATHS.items()}
PROFILES |= {"/api/v1/health": "health", "/health": "health"}


def served(
    upstreams: Upstreams,
    token: str = "",
    subject: Subject | None = None,
    scenario: str = "",
) -> Server:
    """The server of `octomil-conformance serve`. Without a `scenario` the model's name chooses one."""
    upstreams = subject.upstreams(upstreams) if subject else upstreams
    otherwise = (subject.shows if subject else None) or "echo"
    server: Server = App(Gateway(upstreams), token)
    if subject:
        server = around(server, where_claimed(subject.layer, subject.claims))
    upstream = urlsplit(upstreams.ollama).netloc

    def prepared(request: Request) -> Response:
        request.upstream = upstream
        request.scenario = scenario or scenario_in(request.fields, otherwise)
        return server(request)

    return prepared


def where_claimed(layer: Layer, claims: Iterable[str]) -> Layer:
    """Applies the layer at the endpoints of the claims and at other paths. It does not know the answers of other endpoints."""

    def limited(request: Request, server: Server) -> Response:
        profile = PROFILES.get(request.path.rstrip("/"))
        is_claimed = profile is None or profile in claims
        return layer(request, server) if is_claimed else server(request)

    return limited
