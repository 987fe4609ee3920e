"""Lists the requests of a requirement's checks, which run against the suite's own server for this."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from octomil_conformance import spec
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.scenarios import scenario_of
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.config import BASE_PATH, Config
from octomil_conformance.exchange import Exchange, Request, field
from octomil_conformance.expect import shown
from octomil_conformance.request_parts import NEEDS_BACKEND, USUAL_HEADERS
from octomil_conformance.runner import all_checks, judge
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import Upstreams, served

TIMEOUT = 0.4
"""Seconds that our server waits for its upstreams."""
TOKEN = "conf-token"
MAX_REQUESTS = 12
"""The most requests of one requirement that are listed."""
USUAL = {*USUAL_HEADERS.items(), ("Authorization", f"Bearer {TOKEN}")}
NONCE = re.compile(r"\[conf n\w+")


def checks(requirement: spec.Requirement) -> list[str]:
    """The place of each check of a requirement in the source."""
    mine = (each for each in all_checks() if each.requirement.id == requirement.id)
    return [each.place for each in mine]


def requests(requirement: spec.Requirement) -> Iterator[str]:
    """The different requests for the first profile of a requirement."""
    found = dict.fromkeys(map(_text, _exchanges(requirement)))
    yield from [*found][:MAX_REQUESTS] or [
        "nothing; it judges the responses to the other checks"
    ]
    if len(found) > MAX_REQUESTS:
        yield f"and {len(found) - MAX_REQUESTS} more"


def _exchanges(requirement: spec.Requirement) -> Iterator[Exchange]:
    profile = requirement.profiles[0]
    claims = {profile: max(requirement.level, 1)}
    with ScriptedBackend(ANY_PORT, ANY_PORT, TIMEOUT) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url, TIMEOUT)
        with serving(served(upstreams, TOKEN), TOKEN) as url:
            config = Config(url + BASE_PATH, claims, TOKEN, backend_timeout=TIMEOUT)
            run = judge(config, only=[requirement.id], backend=backend)
    for verdict in run.verdicts:
        yield from verdict.exchanges


def _text(exchange: Exchange) -> str:
    request = exchange.request
    lines = [f"{request.method} {urlsplit(request.url).path}", *_headers(request)]
    body = NONCE.sub("[conf NONCE", request.body.decode("utf-8", "replace"))
    lines += [shown(body)] if body else []
    lines += [f"# {request.needs}"] if request.needs not in ("", NEEDS_BACKEND) else []
    return "\n".join([*lines, *_scenarios(field(request.fields, "model_id"))])


def _headers(request: Request) -> Iterator[str]:
    """The headers that the suite does not send with every request."""
    for name, value in request.headers:
        if (name, value) not in USUAL and name != "Content-Length":
            yield f"{name}: {value.replace(TOKEN, '$TOKEN')}"
    names = {name for name, _ in request.headers}
    if not names & {"Authorization", "X-API-Key"}:
        yield "(no API token)"


def _scenarios(model: object) -> Iterator[str]:
    """The scenarios of the scripted backend for this model, as comments."""
    plays = {each: scenario_of(str(model), each) for each in BOTH}
    alike = len({*plays.values()}) == 1
    for provider, scenario in plays.items():
        if scenario and scenario.name != "echo" and not (alike and provider != BOTH[0]):
            who = "each upstream" if alike else provider
            yield f"# {who}: {scenario.sentence}"
