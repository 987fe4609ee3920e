"""The scenarios: what the scripted backend does, by the name in the model or in a tag.

A model `conf-NAME` names the scenario of both providers, `conf-ollama-NAME-openai-NAME` that of each. `ok` is short for
`echo`, `missing` for `http-404`, a bare status for `http-STATUS`.
"""

import re
from collections.abc import Iterator
from functools import partial
from operator import methodcaller

from octomil_conformance.backend import spoiled
from octomil_conformance.backend.answer_scenarios import WRITTEN, Play, Scenario, echo
from octomil_conformance.backend.broken_scenarios import truncate
from octomil_conformance.backend.failures import failures
from octomil_conformance.backend.forms import FORMS, Form
from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.witness import Provider

MODEL_PREFIX = "conf-"
ALONE: dict[Provider, str] = {
    "ollama": "ollama-{}-openai-500",
    "openai": "ollama-500-openai-{}",
}
"""How one provider plays a scenario while the other fails."""
DECISIVE: dict[Provider, str] = {
    "ollama": "ollama-{}-openai-missing",
    "openai": "ollama-missing-openai-{}",
}
"""How one provider fails while the other fails in a way that counts less, so that a client gets the failure of the first."""

_BOTH = re.compile(r"ollama-(?P<ollama>.+)-openai-(?P<openai>.+)")
_SHORT = {"ok": "echo", "missing": "http-404", "both-missing": "http-404"}


def scenario_named(name: str) -> Scenario | None:
    """Models may have a tag, a version and capital letters, `Echo:8b-Q4`, `Echo@1`. They change nothing."""
    name = re.split("[:@]", name)[0].lower()
    if name.isascii() and name.isdecimal():
        name = f"http-{name}"
    return SCENARIOS.get(_SHORT.get(name, name))


def alone(name: str) -> str:
    """The scenario that only one provider plays while the other fails; the name itself if there is no such scenario."""
    for pattern in (*ALONE.values(), *DECISIVE.values()):
        before, after = pattern.split("{}")
        if name.startswith(before) and name.endswith(after):
            return name.removeprefix(before).removesuffix(after)
    return name


def scenario_of(model: str, backend: Provider) -> Scenario | None:
    """None if the model is not one of the scripted backend. Before its name there may be white space, or another name and a slash."""
    before, found, name = model.removesuffix(":latest").partition(MODEL_PREFIX)
    if not found or before.strip()[-1:] not in ("", "/"):
        return None
    if each := _BOTH.fullmatch(name):
        name = each[backend]
    return scenario_named(name)


def _in_form(form: Form, play: Play, reply: Reply) -> None:
    reply.dialect.form = form
    play(reply)


def _all() -> Iterator[Scenario]:
    yield from WRITTEN
    for name, form in FORMS.items():
        yield Scenario(name, f"{form.about}; the echo.", partial(_in_form, form, echo))
        sentence = f"{form.about}; two tokens and a clean end."
        yield Scenario(f"{name}-truncate", sentence, partial(_in_form, form, truncate))
    for name, form in spoiled.VECTORS.items():
        sentence = f"{form.about}; a chat is echoed."
        yield Scenario(name, sentence, partial(_in_form, form, echo))
    for name, form in spoiled.ANSWERS.items():
        sentence = f"Status 200, {form.about}."
        yield Scenario(name, sentence, methodcaller("spoil", form))
    yield from failures()


SCENARIOS = {each.name: each for each in _all()}
