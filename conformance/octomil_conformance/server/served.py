"""Servers put together: endpoints, a gateway, upstreams, and the layer that makes one a mutant or a variant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from octomil_conformance.backend import API_KEY
from octomil_conformance.server.app import App
from octomil_conformance.server.backends import Backend
from octomil_conformance.server.faults import FAULTS
from octomil_conformance.server.gateway import Gateway
from octomil_conformance.server.layers import Answer, Ask, Layer, Request
from octomil_conformance.server.mutants import Mutant
from octomil_conformance.server.scenarios import always, by_model
from octomil_conformance.server.variants import Variant

PROFILES = {
    "/api/v1/inference": "infer",
    "/api/v1/inference/stream": "stream",
    "/api/v1/inference/batch": "batch",
    "/api/v1/embeddings": "embed",
    "/api/v1/inference/health": "health",
    "/api/v1/health": "health",
    "/health": "health",
}


@dataclass(frozen=True)
class Upstreams:
    """Base URLs, empty for none, and how long to wait for them."""

    ollama: str = ""
    openai: str = ""
    timeout: float = 2.0
    """Seconds."""

    def backends(self, faults: frozenset[str]) -> list[Backend]:
        given = [("ollama", self.ollama, ""), ("openai", self.openai, API_KEY)]
        return [Backend(name, url, self.timeout, key, faults) for name, url, key in given if url]  # fmt: skip


def app(
    upstreams: Upstreams,
    token: str = "",
    faults: Iterable[str] = (),
    upstream_name: Callable[[str], str] = str,
) -> App:
    """Raises ValueError for a fault that there is not."""
    faults = frozenset(faults)
    if unknown := faults - FAULTS.keys():
        raise ValueError(f"there is no fault {sorted(unknown)}")
    gateway = Gateway(upstreams.backends(faults), faults, upstream_name)
    return App(gateway, token, faults)


def served(
    upstreams: Upstreams,
    token: str,
    subject: Mutant | Variant | None = None,
    scenario: str = "",
) -> Ask:
    """What `octomil-conformance serve` serves. Without a `scenario` it rides in the model's name."""
    shown = (subject.shows if isinstance(subject, Mutant) else None) or "echo"
    name = always(scenario) if scenario else by_model(shown)
    if subject is None:
        return app(upstreams, token, (), name)
    if subject.layer is None:
        return app(upstreams, token, [subject.name], name)
    return _where_claimed(subject.layer, subject.claims, app(upstreams, token, (), name))  # fmt: skip


def _where_claimed(layer: Layer, claims: Iterable[str], below: Ask) -> Ask:
    """A layer knows the answers of the endpoints that are judged by its claims, and of no others."""

    def server(request: Request) -> Answer:
        profile = PROFILES.get(request.path.rstrip("/"))
        mine = profile is None or profile in claims
        return layer(request, below) if mine else below(request)

    return server
