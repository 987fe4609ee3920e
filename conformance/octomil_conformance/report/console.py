"""The report for people: what failed, what was wanted, which client breaks, and the line that repeats the request."""

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from octomil_conformance import __version__
from octomil_conformance.backend.interface import environment_for
from octomil_conformance.config import (
    EXTERNAL,
    Config,
    claims_in_words,
)
from octomil_conformance.report import words
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import curl, played, seen
from octomil_conformance.run import Outcome, Run, Verdict

MARKS: dict[Outcome, str] = {
    "pass": ".",
    "fail": "F",
    "warn": "w",
    "error": "E",
    "untestable": "?",
    "expected": "x",
}
MARKS_A_LINE = 70
MOST = 200
"""Characters of what a further verdict got."""


class Progress:
    """Prints one character for each check, while the run goes on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._count = 0

    def __call__(self, verdict: Verdict) -> None:
        if self._count and self._count % MARKS_A_LINE == 0:
            self._stream.write("\n")
        self._count += 1
        self._stream.write(MARKS[verdict.outcome])
        self._stream.flush()

    def end(self) -> None:
        self._stream.write("\n\n" if self._count else "")


def header(config: Config, cost: str) -> list[str]:
    lines = [
        f"octomil-conformance {__version__}, spec {config.spec_version}",
        f"{config.url}  {claims_in_words(config.claims)}",
        *config.claimed_in_vain(),
        cost,
    ]
    if config.level == 2 and not config.backend.startswith(EXTERNAL):
        lines.append("the server under test needs " + " ".join(_environment(config)))
    return [redact(line, config.token) for line in lines]


def lines(run: Run) -> Iterator[str]:
    for block in _blocks(run):
        for line in block:
            yield words.named(redact(line, run.config.token))
        yield ""
    for line in _summary(run):
        yield words.named(redact(line, run.config.token))


def _environment(config: Config) -> list[str]:
    openai, timeout = f"http://{config.openai_backend}/v1", config.backend_timeout
    found = environment_for(f"http://{config.backend}", openai, timeout)
    return [f"{name}={value}" for name, value in found.items()]


def _blocks(run: Run) -> Iterator[list[str]]:
    for first, *others in _findings(run):
        yield [*_block(first), *_also(first, others)]
    for expectation in run.stale():
        yield [
            f"STALE  {expectation.check}  expected to fail, but it does not: remove it from the list",
            f"      reason  {expectation.reason} {expectation.link}".rstrip(),
        ]


def _findings(run: Run) -> Iterable[list[Verdict]]:
    """Verdicts with the same outcome on the same requirement are grouped."""
    found: dict[tuple[str, Outcome], list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.outcome != "pass" and not words.is_lacking(run, verdict):
            key = verdict.requirement.id, verdict.outcome
            found.setdefault(key, []).append(verdict)
    return found.values()


def _block(verdict: Verdict) -> list[str]:
    requirement = verdict.requirement
    label = words.LABELS[verdict.outcome]
    lines = [f"{label}  {requirement.id}  {requirement.force}  {requirement.text}"]
    rows = [("check", f"{verdict.profile}: {verdict.check}")]
    if verdict.outcome in ("fail", "warn", "expected"):
        rows += [("got", verdict.evidence.got), ("want", verdict.evidence.want)]
    rows.append(("reason", verdict.reason))
    if verdict.outcome != "untestable":
        rows.append(("breaks", requirement.breaks))
    if verdict.exchanges:
        rows.append(("plays", played(verdict.exchanges[-1])))
        rows.append(("seen", seen(verdict.exchanges[-1])))
    rows.append(("asked", words.in_a_row(verdict.asked)))
    rows.append(("spec", requirement.place))
    if verdict.exchanges:
        rows.append(("repro", curl(verdict.exchanges[-1])))
    for name, text in rows:
        first, *rest = text.splitlines() or [""]
        if text:
            lines.append(f"      {name:<7} {first}")
            lines += [f"{'':14}{line}" for line in rest]
    return lines


def _also(first: Verdict, others: list[Verdict]) -> Iterator[str]:
    """The other checks that broke the requirement, and what they got if it differs."""
    by_got: dict[str, list[Verdict]] = {}
    for each in others:
        by_got.setdefault(each.evidence.got, []).append(each)
    for got, verdicts in by_got.items():
        is_new = got and got != first.evidence.got
        what = f": got {' '.join(got.split())[:MOST]}" if is_new else ""
        yield from (f"      also    {each}{what}" for each in words.places(verdicts))


def _summary(run: Run) -> Iterator[str]:
    counts = words.by_profile(run)
    for profile, level in run.config.claims.items():
        yield f"{f'{profile}@{level}':<10} {words.counted(counts[profile])}"
    undeclared = run.config.not_declared()
    if undeclared:
        yield f"not declared: {', '.join(undeclared)}"
    yield from words.lacking(run)
    yield from run.notes()
    for each in words.without_check(run.config):
        yield f"untestable: {each.id}, {each.untestable}"
    sentence = words.SENTENCES[run.conclusion()]
    yield f"{sentence}: {words.totals(run)}, in {run.seconds:.1f} s."
