"""Parses one HTTP request to the scripted backend. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from octomil_conformance.backend.answer_scenarios import Scenario
from octomil_conformance.backend.ask import Ask, Refused
from octomil_conformance.backend.dialects import Dialect, dialect_of, reader_of
from octomil_conformance.backend.pages import UNKNOWN, Page, page_for
from octomil_conformance.backend.response import Received
from octomil_conformance.backend.scenarios import MODEL_PREFIX, scenario_of
from octomil_conformance.backend.witness import Call, Provider
from octomil_conformance.backend.words import Tag, find_tag

_NOTHING_ASKED = Ask("", "", None, False, None, 0)


@dataclass(frozen=True)
class Request:
    received: Received
    body: Any
    """The JSON value, or None."""
    tag: Tag
    ask: Ask = _NOTHING_ASKED
    scenario: Scenario | None = None
    """None for pages, and for models that the backend does not have."""
    problem: Refused | None = None
    """Why a real server would refuse the request."""
    page: Page | None = None
    """The response to what is neither a chat nor embeddings."""

    def dialect(self) -> Dialect:
        return dialect_of(self.received.path, self.ask)

    def call(self, backend: Provider) -> Call:
        """The record for the witness."""
        return Call(
            nonce=self.tag.nonce,
            backend=backend,
            method=self.received.method,
            path=self.received.path,
            headers=self.received.headers,
            body=self.body,
            model=self.ask.model,
            stream=self.ask.stream,
            scenario=self.scenario.name if self.scenario else "",
            is_unknown=self.page is UNKNOWN,
            refused=self.problem.message if self.problem else "",
        )


def understand(received: Received, backend: Provider) -> Request:
    tag = find_tag(received.body.decode("utf-8", "replace"))
    value = _json(received.body)
    read = reader_of(received.path) if received.method == "POST" else None
    if read is None:
        model = value.get("model", "") if isinstance(value, dict) else ""
        page = page_for(received, str(model), backend)
        return Request(received, value, tag, page=page)
    try:
        ask = read(_object(value))
    except Refused as ex:
        return Request(received, value, tag, problem=ex)
    scenario = scenario_of(ask.model, backend)
    if scenario and tag.scenario:
        scenario = scenario_of(MODEL_PREFIX + tag.scenario, backend)
    missing = Refused(404, f'model "{ask.model}" not found, try pulling it first')
    return Request(received, value, tag, ask, scenario, None if scenario else missing)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, "the body must be a JSON object")
    return value


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
