"""Freedoms in how a server calls its upstreams (spec section 9)."""

from dataclasses import replace

from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.subjects import upstreams


@upstreams("embed@2", shows=None)
def older_embeddings(given: Upstreams) -> Upstreams:
    """Embeds by Ollama's older API, one text at a time."""
    return replace(given, old_embeddings=True)


@upstreams("health@2", shows=None)
def probes_by_list_and_root(given: Upstreams) -> Upstreams:
    """Probes Ollama by its list of running models, and the fallback by its root."""
    return replace(given, probes={"ollama": "/api/ps", "openai": "/"})


@upstreams("health@2", shows=None)
def probes_by_root_and_page(given: Upstreams) -> Upstreams:
    """Probes Ollama by its root, and the fallback by the page for load balancers that most servers have."""
    return replace(given, probes={"ollama": "/", "openai": "/health"})
