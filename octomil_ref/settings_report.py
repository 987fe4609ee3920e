"""Lists the settings for `octomil-ref config`, and warns about those that look like a mistake."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from octomil_ref import setting_values
from octomil_ref.settings import ENVIRONMENT, Settings, is_given, load, secret_file

MASKED = "(set, not shown)"


@dataclass(frozen=True)
class Reported:
    """One setting as `octomil-ref config` prints it."""

    variable: str
    value: str
    """Masked if it is a secret."""
    source: str
    meaning: str


def report(environ: Mapping[str, str] = ENVIRONMENT) -> list[Reported]:
    """Every setting as `serve` and the gunicorn settings use it."""
    settings = load(environ).with_threads()
    settings = replace(
        settings,
        max_inflight=settings.inflight_limit(),
        load_timeout=settings.load_timeout or settings.backend_timeout,
    )
    rows = []
    for setting in fields(Settings):
        value = getattr(settings, setting.name)
        hidden = setting.metadata["secret"] and value
        text = MASKED if hidden else setting_values.shown(value)
        about = setting.metadata
        source = _source(setting, environ)
        rows.append(Reported(about["variable"], text, source, about["meaning"]))
    return rows


DERIVED = frozenset({"max_inflight", "load_timeout"})
"""Their defaults follow from other settings."""


def _source(setting: Field[Any], environ: Mapping[str, str]) -> str:
    if is_given(setting, environ):
        return "environment"
    if secret_file(setting, environ)[1]:
        return "file"
    return "derived" if setting.name in DERIVED else "default"


def warnings(settings: Settings, environ: Mapping[str, str] = ENVIRONMENT) -> list[str]:
    """Warnings about probable mistakes: no backend, and variables whose names are almost that of a setting."""
    found = []
    if not settings.ollama_base_url and not settings.openai_api_endpoint:
        found.append("no backend: set OLLAMA_BASE_URL or OPENAI_API_ENDPOINT")
    known = [setting.metadata["variable"] for setting in fields(Settings)]
    for variable in environ:
        if variable.startswith(("OCTOMIL_", "LLM_")) and variable not in known:
            near = get_close_matches(variable, known, 1, SIMILAR)
            found += [f"{variable} is not a setting: is it {name}?" for name in near]
    found += [
        f"{theirs} is not a setting: is it {name}?"
        for theirs, name in OTHER_NAMES.items()
        if environ.get(theirs) and name not in environ
    ]
    return found


OTHER_NAMES = {
    "OPENAI_BASE_URL": "OPENAI_API_ENDPOINT",
    "OPENAI_API_BASE": "OPENAI_API_ENDPOINT",
    "OLLAMA_HOST": "OLLAMA_BASE_URL",
    "OLLAMA_URL": "OLLAMA_BASE_URL",
}
"""Variables of other programs, and the settings that mean the same."""


SIMILAR = 0.85
"""Two names are similar if difflib's ratio of them, from 0 to 1, is at least this: one is probably misspelt."""
