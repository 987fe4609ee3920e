"""`expect(got, want)`: how a check says what it got and what it wants. The report shows both.

pytest's rewritten asserts would say as much, but only in pytest's own thread; checks run side by side, and on recordings too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from octomil_conformance.exchange import read_json

FIRST, LAST = 200, 100
"""Characters of a long value that a report shows."""

Mask = Callable[[str], str]
"""Removes secrets. It is applied before a value is truncated, because half a token is a secret too."""


class Finding(AssertionError):
    """The server does not do what the requirement says."""

    def __init__(self, want: str, got: str) -> None:
        super().__init__(f"want {want}, got {got}")
        self.want = want
        self.got = got


class NotRecorded(Exception):
    """A check looks at something that the recording does not have. It neither passes nor fails."""


class SuiteFault(Exception):
    """The suite itself is wrong, not the server."""


@dataclass(frozen=True)
class Evidence:
    got: str
    want: str


NO_EVIDENCE = Evidence("", "")


@dataclass(frozen=True)
class Want:
    """A condition for a value, where more than one value is right."""

    words: str
    holds: Callable[[Any], bool]

    def __repr__(self) -> str:
        return self.words


TRUE = Want("true", lambda value: value is True)
FALSE = Want("false", lambda value: value is False)


def one_of(*values: object) -> Want:
    return Want(f"one of {values!r}", lambda got: got in values)


def none_of(*values: object) -> Want:
    words = " or ".join(map(repr, values))
    return Want(f"other than {words}", lambda got: got not in values)


def less_than(limit: float, unit: str = "") -> Want:
    return Want(f"less than {limit:g}{unit}", lambda got: got < limit)


def between(least: float, most: float) -> Want:
    return Want(
        f"a number from {least:g} to {most:g}",
        lambda got: isinstance(got, int | float) and least <= got <= most,
    )


def at_least(limit: float) -> Want:
    return Want(f"at least {limit:g}", lambda got: got >= limit)


_findings: ContextVar[list[Finding] | None] = ContextVar("findings", default=None)


def expect(got: object, want: object, words: str = "") -> None:
    """Raise Finding unless `got` is equal to `want`, or fits a Want. The report shows `words` as what was wanted.

    Within `collected` the Finding is noted and the check goes on, because the proof that every expectation matters needs all findings.
    """
    holds = want.holds(got) if isinstance(want, Want) else got == want
    if holds:
        return
    finding = Finding(words or repr(want), _written(got))
    findings = _findings.get()
    if findings is None:
        raise finding
    findings.append(finding)


def _written(got: object) -> str:
    """A text is quoted only if it is empty or looks like another value: `'5'`, `'false'`."""
    if not isinstance(got, str) or not got:
        return repr(got)
    value = read_json(got.encode("utf-8", "replace"))
    return repr(got) if value is None or isinstance(value, int | float) else got


@contextmanager
def collected(into: list[Finding] | None = None) -> Iterator[list[Finding]]:
    """Yields the list of the findings within."""
    findings = [] if into is None else into
    before = _findings.set(findings)
    try:
        yield findings
    finally:
        _findings.reset(before)


def has_findings() -> bool:
    """True if an expectation within `collected` did not hold."""
    return bool(_findings.get())


def evidence(finding: Finding, mask: Mask = str) -> Evidence:
    return Evidence(shown(mask(finding.got)), shown(mask(finding.want)))


def shown(text: str) -> str:
    """The beginning and the end of a long text."""
    if len(text) <= FIRST + LAST:
        return text
    return f"{text[:FIRST]} … {text[-LAST:]} ({len(text)} characters)"
