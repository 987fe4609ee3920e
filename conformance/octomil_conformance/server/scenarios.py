"""What is answered: the scenarios of the scripted backend, and those that are a failure of the server itself.

A scenario rides in the model's name, `conf-NAME`, or is the same whatever the model is called.
"""

from collections.abc import Callable

from octomil_conformance.backend.scenarios import MODEL_PREFIX, SCENARIOS, scenario_of
from octomil_conformance.server.failures import CHALLENGE, KINDS, Failure

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
        "bad_gateway": "What stands behind the server failed.",
        "service_unavailable": "The server is overloaded, Retry-After 7.",
        "gateway_timeout": "What stands behind the server was late.",
    }.items()
}
"""Scenario to the kind of failure and what it says. An item of a batch fails in the same way."""

HEADERS = {401: CHALLENGE, 429: {"Retry-After": "7"}, 503: {"Retry-After": "7"}}


HELD = "gated"
"""Waits for a check that opens its gate. Here there is none."""


def is_scenario(name: str) -> bool:
    """Those that name one for each upstream, `ollama-NAME-openai-NAME`, too."""
    model = MODEL_PREFIX + name
    known = scenario_of(model, "ollama") and scenario_of(model, "openai")
    return name in OWN or (known is not None and name != HELD)


def sentences() -> dict[str, str]:
    """What each scenario is, by name."""
    backend = {name: each.sentence for name, each in SCENARIOS.items() if name != HELD}
    return backend | {name: sentence for name, (_, sentence) in OWN.items()}


def always(scenario: str) -> Callable[[str], str]:
    return lambda model: _upstream_name(scenario)


def by_model(otherwise: str) -> Callable[[str], str]:
    """`otherwise` is the scenario of models whose name names none."""

    def name(model: str) -> str:
        named = model.startswith(MODEL_PREFIX)
        return _upstream_name(model.removeprefix(MODEL_PREFIX) if named else otherwise)

    return name


def _upstream_name(scenario: str) -> str:
    """Raises the Failure that the scenario is."""
    if scenario not in OWN:
        return MODEL_PREFIX + scenario
    kind, sentence = OWN[scenario]
    raise Failure(kind, sentence, headers=HEADERS.get(KINDS[kind].status, {}))
