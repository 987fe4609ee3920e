"""The scenarios: what the scripted backend does, by the name in the model or in a tag.

A model `conf-NAME` names the scenario of both providers, `conf-ollama-NAME-openai-NAME` that of each. `ok` is short for
`echo`, `missing` for `http-404`, a bare status for `http-STATUS`.
"""

import re
from collections.abc import Sequence

from octomil_conformance.backend import spoiled
from octomil_conformance.backend.acts import (
    ACTS,
    Scenario,
    failing,
    saying,
    stop_short,
    two,
)
from octomil_conformance.backend.forms import FORMS
from octomil_conformance.backend.refusals import REFUSALS
from octomil_conformance.backend.reply import ErrorForm, Reply
from octomil_conformance.backend.spoiled import Change
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

SCENARIOS = ACTS
"""The scenarios by name: those of acts.py, and all that this module adds."""

_BOTH = re.compile(r"ollama-(?P<ollama>.+)-openai-(?P<openai>.+)")
_SHORT = {"ok": "echo", "missing": "http-404", "both-missing": "http-404"}


def scenario_named(name: str) -> Scenario | None:
    """Models may have a tag and capital letters, `Echo:8b-Q4`. They change nothing."""
    name = name.partition(":")[0].lower()
    if name.isascii() and name.isdecimal():
        name = f"http-{name}"
    return SCENARIOS.get(_SHORT.get(name, name))


def alone(name: str) -> str:
    """The scenario that only one provider plays while the other fails; the name itself if there is no such one."""
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


CRASH = "llama runner at {host} for {key} no longer running: 2"
"""A message that a client must not see."""


# Good answers in other forms, whole, and cut after two tokens: see forms.py


for _name, (_sentence, _form) in FORMS.items():
    saying(_name, f"{_sentence}; the echo.", form=_form)
    failing(f"{_name}-truncate", f"{_sentence}; two tokens and a clean end.", two, stop_short, _form)  # fmt: skip


def _error(name: str, sentence: str, tokens: int, form: ErrorForm = "alone", before: Sequence[str] = ()) -> None:  # fmt: skip
    def act(reply: Reply) -> None:
        reply.say([*before, *reply.echo[:tokens]])
        reply.fail(CRASH, form)

    SCENARIOS[name] = Scenario(name, f"Status 200, {sentence}.", act)


_error("error-frame", "two tokens, an error frame and a clean end; a single answer is an error", 2)  # fmt: skip
_error("error-frame-first", "an error frame before any token", 0)
_error("error-frame-after-nothing", "an empty token, as beside the role, then an error frame", 0, before=[""])  # fmt: skip
_error("error-before-end", "two tokens, an error frame, then the end of a good answer; a single answer with an error", 2, "before the end")  # fmt: skip
_error("error-first-before-end", "an error frame, then the end of a good answer", 0, "before the end")  # fmt: skip
_error("error-beside-end", "two tokens, then an error in the frame that ends the answer", 2, "beside the end")  # fmt: skip
_error("error-of-other-type", "two tokens, an error that is text instead of an object or the other way round, then the end", 2, "other type")  # fmt: skip
_error("error-reason", "two tokens, then an end whose reason is `error` (OpenAI), or an error (Ollama)", 2, "reason")  # fmt: skip
_error("error-bare", "two tokens, then an error as a line of its own that is in no event, then the end", 2, "bare")  # fmt: skip
_error("error-odd", "two tokens, an error beside text (Ollama) or without the name `error` (OpenAI), then the end", 2, "odd")  # fmt: skip


# Status 200, and JSON that is not an answer, or not as usual: see spoiled.py


def _spoiled(name: str, sentence: str, change: Change) -> None:
    def act(reply: Reply) -> None:
        reply.spoil(change)

    SCENARIOS[name] = Scenario(name, f"Status 200, {sentence}.", act)


for _name, (_sentence, _change) in spoiled.ANSWERS.items():
    _spoiled(_name, _sentence, _change)
for _name, (_sentence, _change) in spoiled.DATA.items():
    saying(_name, f"{_sentence}; a chat is echoed.", change=_change)
for _name, (_sentence, _change) in spoiled.VECTORS.items():
    saying(_name, f"{_sentence}; a chat is echoed.", vectors=_change)
SCENARIOS |= REFUSALS
