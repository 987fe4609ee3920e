"""The scenarios: what the scripted backend does, by the name that rides in the model or in a tag.

A model `conf-NAME` names the scenario of both backends, `conf-ollama-NAME-openai-NAME` that of each. `ok` is short for
`echo`, `missing` for `http-404`, a bare status for `http-STATUS`.
"""

import re

from octomil_conformance.backend.acts import ACTS
from octomil_conformance.backend.refusals import REFUSALS
from octomil_conformance.backend.scenario import Scenario
from octomil_conformance.backend.witness import Provider

MODEL_PREFIX = "conf-"

SCENARIOS: dict[str, Scenario] = {**ACTS, **REFUSALS}

_BOTH = re.compile(r"ollama-(?P<ollama>.+)-openai-(?P<openai>.+)")
_SHORT = {"ok": "echo", "missing": "http-404", "both-missing": "http-404"}


def scenario_named(name: str) -> Scenario | None:
    if name.isascii() and name.isdecimal():
        name = f"http-{name}"
    return SCENARIOS.get(_SHORT.get(name, name))


def scenario_of(model: str, backend: Provider) -> Scenario | None:
    """None: not a model of ours."""
    name = model.removesuffix(":latest")
    if not name.startswith(MODEL_PREFIX):
        return None
    name = name.removeprefix(MODEL_PREFIX)
    if each := _BOTH.fullmatch(name):
        name = each[backend]
    return scenario_named(name)
