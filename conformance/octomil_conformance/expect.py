"""`expect(got, want)`: how a check says what it got and what it wants. The report shows both.

pytest's rewritten asserts would say as much, but only in pytest's own thread; checks run side by side, and on recordings too.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

FIRST, LAST = 200, 100
"""Characters of a long value that a report shows."""
BEFORE = 60
"""Characters that a report shows before the place where two long values begin to differ."""

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

    def __str__(self) -> str:
        return self.words


class Words(str):
    """A sentence of a check about what it got. A report does not quote it."""


TRUE = Want("true", lambda value: value is True)
FALSE = Want("false", lambda value: value is False)


def same(got: object, want: object) -> bool:
    """Equality of JSON: true is not 1, and false is not 0. In Python they are equal."""
    if isinstance(got, bool) or isinstance(want, bool):
        return got is want
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[k], want[k]) for k in got)
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        return got == want and all(map(same, got, want))
    return got == want


def one_of(*values: object) -> Want:
    return Want(either(values), lambda got: any(same(got, each) for each in values))


def none_of(*values: object) -> Want:
    return Want(
        f"anything but {either(values)}",
        lambda got: not any(same(got, each) for each in values),
    )


def either(values: tuple[object, ...]) -> str:
    """`400, 413 or 422`."""
    *others, last = map(written, values)
    return f"{', '.join(others)} or {last}" if others else last


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
    holds = want.holds(got) if isinstance(want, Want) else same(got, want)
    if holds:
        return
    finding = Finding(words or written(want), written(got))
    findings = _findings.get()
    if findings is None:
        raise finding
    findings.append(finding)


def written(value: object) -> str:
    """A value as JSON. What JSON does not have is written in words: `(missing)`, and a Want."""
    try:
        return _written(value)
    except RecursionError:
        return "a value that is nested too deeply to be shown"


def _written(value: object) -> str:
    match value:
        case Words():
            return value
        case str():
            return _quoted(value)
        case bytes():
            return _quoted(value.decode("utf-8", "backslashreplace"))
        case None | bool():
            return json.dumps(value)
        case dict():
            pairs = (f"{_quoted(str(k))}: {_written(v)}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case set():
            return _written(sorted(value, key=_written))
        case _:
            return str(value)


def _quoted(text: str) -> str:
    """JSON text in which every character can be seen."""
    raw = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in raw)


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
    """Both values. If they are long and begin alike, the parts from where they differ."""
    got, want = mask(finding.got), mask(finding.want)
    pairs = enumerate(zip(got, want, strict=False))
    alike = next((at for at, (a, b) in pairs if a != b), min(len(got), len(want)))
    start = alike - BEFORE if alike > FIRST else 0
    return Evidence(shown(got, start), shown(want, start))


def shown(text: str, start: int = 0) -> str:
    """The beginning of a long text, or a part that begins later, and its end."""
    if len(text) <= FIRST + LAST:
        return text
    rest = text[start:]
    if len(rest) > FIRST + LAST:
        rest = f"{rest[:FIRST]} … {rest[-LAST:]}"
    skipped = f"from character {start} of " if start else ""
    return f"{'… ' * bool(start)}{rest} ({skipped}{len(text)} characters)"
