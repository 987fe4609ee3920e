"""Failures as upstreams report them: refusals with a status, and errors in an answer with status 200. failures.toml lists them."""

import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from octomil_conformance.backend.answer_scenarios import Scenario, echo
from octomil_conformance.backend.gated import JSON
from octomil_conformance.backend.reply import ErrorForm, Reply
from octomil_conformance.backend.response import compact

CRASH = "llama runner at {host} for {key} no longer running: 2"
"""A message that a client must not see."""
MOVED = "?moved"
"""The end of a URL at which every request is answered: a redirect may lead there."""
SOON = 90
"""Seconds to the time that `{soon}` stands for."""


@dataclass(frozen=True)
class Refusal:
    status: int
    about: str
    says: str
    kind: str = "api_error"
    retry_after: str = ""
    location: str = ""
    leaks: bool = False
    """True if headers have the upstream's address and key."""
    of_seed: bool = False
    """True if a request without a seed is answered."""

    def play(self, reply: Reply) -> None:
        target = reply.gated.response.request.target
        if self.of_seed and not reply.ask.has_seed or target.endswith(MOVED):
            return echo(reply)
        quoting = reply.gated.quoting
        error = reply.dialect.error(self.status, quoting(self.says), self.kind)
        headers = {}
        if self.leaks:
            headers = {"x_served_by": quoting("{host}"), "x_api_key": quoting("{key}")}
        if self.location:
            headers["location"] = self.location.replace("{target}", target)
        if self.retry_after:
            soon = formatdate(time.time() + SOON, usegmt=True)
            headers["retry_after"] = self.retry_after.replace("{soon}", soon)
        reply.gated.answer(self.status, compact(error), **headers)


@dataclass(frozen=True)
class Body:
    """A failure that is not in the form of the dialect."""

    status: int
    about: str
    body: str
    content_type: str = JSON

    def play(self, reply: Reply) -> None:
        reply.gated.answer(self.status, self.body.encode(), self.content_type)


@dataclass(frozen=True)
class Error:
    about: str
    tokens: int = 2
    """How many tokens come before it."""
    form: ErrorForm = "alone"
    is_opened: bool = False
    """True if an empty token comes before it."""

    def play(self, reply: Reply) -> None:
        reply.say([""] * self.is_opened + reply.echo[: self.tokens])
        reply.fail(CRASH, self.form)


LISTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
OTHER_BODIES = [
    name for name, fields in LISTED["bodies"].items() if fields["status"] >= 500
]
"""The failures of an upstream itself that are not in the form of the dialect."""


def failures() -> Iterator[Scenario]:
    for name, fields in LISTED["errors"].items():
        error = Error(**fields)
        yield Scenario(name, f"Status 200, {error.about}.", error.play)
    for name, fields in LISTED["refusals"].items():
        refusal = Refusal(**fields)
        yield Scenario(name, f"{refusal.status}: {refusal.about}.", refusal.play)
    for name, fields in LISTED["bodies"].items():
        body = Body(**fields)
        yield Scenario(name, f"{body.status}, {body.about}.", body.play)
