"""The scenarios of a request: those of the scripted backend, and failures of the server itself.

A model named `conf-NAME` chooses the scenario NAME.
"""

from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS, scenario_of
from octomil_conformance.server.failures import CHALLENGE, KINDS, Failure
from octomil_conformance.server.layers import Json

OWN = {
    f"status-{KINDS[kind].status}": (kind, sentence)
    for kind, sentence in {
        "bad_request": "The request is at fault.",
        "unauthorized": "The token is unknown.",
        "missing_model": "There is no such model.",
        "payload_too_large": "The prompt is too long.",
        "validation_error": "The model cannot do this.",
        "rate_limited": "Too many requests, Retry-After 7.",
        "internal_error": "A bug of the server.",
        "bad_gateway": "The upstream failed.",
        "service_unavailable": "The server is overloaded, Retry-After 7.",
        "gateway_timeout": "The upstream was late.",
    }.items()
}
"""Scenario to the kind of failure and its message. An input of a batch fails in the same way."""

HEADERS = {401: CHALLENGE, 429: {"Retry-After": "7"}, 503: {"Retry-After": "7"}}

GATED = "gated"
"""Scenarios whose names begin so wait until a check opens their gate. Clients have no gate."""


def is_scenario(name: str) -> bool:
    """True also for names with one scenario for each upstream, `ollama-NAME-openai-NAME`."""
    model = MODEL_PREFIX + name
    known = scenario_of(model, "ollama") and scenario_of(model, "openai")
    return name in OWN or (known is not None and not name.startswith(GATED))


def sentences() -> dict[str, str]:
    """A sentence about each scenario, by name."""
    backend = {
        name: each.sentence
        for name, each in SCENARIOS.items()
        if not name.startswith(GATED)
    }
    return backend | {name: sentence for name, (_, sentence) in OWN.items()}


def scenario_in(body: Json, otherwise: str) -> str:
    """The scenario that a request names, `otherwise` if its model is another one, empty if it has no model."""
    model = body.get("model_id")
    if not isinstance(model, str) or not model.strip():
        return ""
    if model.startswith(MODEL_PREFIX):
        return model.removeprefix(MODEL_PREFIX)
    # Something before the name belongs to the name.
    return model if scenario_of(model, "ollama") else otherwise


def upstream_model(scenario: str) -> str:
    """The name that backends know. Raises the Failure of a scenario that is one of the server itself."""
    if MODEL_PREFIX in scenario:
        return scenario
    if scenario not in OWN:
        return MODEL_PREFIX + (scenario or "echo")
    kind, sentence = OWN[scenario]
    raise Failure(kind, sentence, HEADERS.get(KINDS[kind].status, {}))
