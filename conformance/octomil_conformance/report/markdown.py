"""The report for the page of a CI job: the conclusion, the counts, and a table of what was found.

Every text is redacted and escaped here: what a server says cannot change the Markdown.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from octomil_conformance import __version__, spec
from octomil_conformance.report import words
from octomil_conformance.report.redact import redact
from octomil_conformance.run import Run, Verdict

HEAD = ("", "requirement", "where", "got", "want", "breaks")

CELL = 300
"""Characters of one text."""
MAX_BYTES = 500_000
"""Bytes of a table. GitHub drops the summary of a job if it has more than 1 MiB, and others may write to the same file."""
MEANING = re.compile(r"[^\w ,;+…–]|_")
"""All other characters can have a meaning in Markdown or HTML, somewhere."""


def append_markdown(run: Run, path: Path) -> None:
    append(markdown(run), path)


def markdown(run: Run) -> str:
    url = code(run.config.url, run.config.token)
    blocks = [
        f"## {words.SENTENCES[run.conclusion()]}",
        f"{url}, octomil-conformance {__version__}, spec {run.config.spec_version}",
        f"{words.counted(run.counts())}, in {run.seconds:.1f} s.",
        _profiles(run),
        *_notes(run),
    ]
    found = _findings(run)
    if found:
        blocks += ["### What was found", table(HEAD, found)]
    return "\n\n".join(blocks) + "\n\n"


def not_tested(reason: str, token: str | None) -> str:
    """The summary of a run that could not begin."""
    return f"## Could not test\n\n{code(reason, token)}\n\n"


def _profiles(run: Run) -> str:
    outcomes = [each for each in words.NAMES if run.counts()[each]]
    rows = [
        [f"{profile}@{run.config.claims[profile]}"]
        + [str(counts[each]) for each in outcomes]
        for profile, counts in words.by_profile(run).items()
    ]
    rows += [
        [profile, *["not declared"][: len(outcomes)], *[""] * (len(outcomes) - 1)]
        for profile in run.config.not_declared()
    ]
    return table(["profile", *(words.NAMES[each] for each in outcomes)], rows)


def _notes(run: Run) -> list[str]:
    """The lines that are not about a verdict."""
    token = run.config.token
    notes = [
        f"**Stale**: {plain(each.check)} was expected to fail, but it does not. "
        f"The reason was: {plain(f'{each.reason} {each.link}', token)}"
        for each in run.stale()
    ]
    notes += [
        f"**Untestable**: {each.id}, {ours(each.untestable)}"
        for each in words.without_check(run.config)
    ]
    notes += [f"**Note**: {plain(each, token)}" for each in run.notes()]
    notes += [plain(each) for each in words.lacking(run)]
    return notes


def _findings(run: Run) -> list[list[str]]:
    """A row for all verdicts with one outcome on one requirement. Got and want are those of the first."""
    return [
        _row(requirement, found, run.config.token)
        for requirement, verdicts in words.by_requirement(run).items()
        for outcome, alike in groupby(verdicts, lambda each: each.outcome)
        if (found := [each for each in alike if not words.is_lacking(run, each)])
        and outcome != "pass"
    ]


def _row(
    requirement: spec.Requirement, verdicts: list[Verdict], token: str | None
) -> list[str]:
    first = verdicts[0]
    got = [code(text, token) for text in (first.evidence.got, first.reason) if text]
    return [
        f"**{words.LABELS[first.outcome]}**",
        f"**{requirement.id}** {requirement.force} {ours(requirement.text)}",
        "<br>".join(map(plain, words.places(verdicts))),
        "<br>".join(got),
        code(first.evidence.want, token),
        ours(requirement.breaks),
    ]


def plain(text: str, token: str | None = None) -> str:
    """The text, with nothing in it taken for Markdown. Its lines stay lines, and it is cut if it is too long."""
    masked = redact(text, token)
    left = len(masked) - CELL
    shown = f"{masked[:CELL]}… ({left} more characters)" if left > 0 else masked
    escaped = MEANING.sub(lambda each: f"&#{ord(each[0])};", words.named(shown))
    return escaped.replace("&#10;", "<br>")


def code(text: str, token: str | None = None) -> str:
    """The text as code, which GitHub does not search for links and names either."""
    return f"<code>{plain(text, token)}</code>" if text else ""


def ours(text: str) -> str:
    """A sentence of the spec, which is Markdown already, for a cell."""
    return text.replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown already. Rows beyond the limit are only counted."""
    lines = [_line(head), _line(["---"] * len(head))]
    size, left_out = 0, 0
    for row in rows:
        line = _line(row)
        size += len(line.encode())
        if size > MAX_BYTES:
            left_out += 1
        else:
            lines.append(line)
    more = f"\n\n… {left_out} more rows: see the other reports." if left_out else ""
    return "\n".join(lines) + more


def append(text: str, path: Path) -> None:
    """Append the report. The file may be the summary of a job that has text already."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
