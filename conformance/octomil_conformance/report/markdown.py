"""The report for the page of a CI job: the verdict, the counts, and a table of what was found."""

from itertools import groupby
from pathlib import Path

from octomil_conformance import __version__, spec
from octomil_conformance.report.markdown_parts import append, code, ours, plain, table
from octomil_conformance.report.words import (
    LABELS,
    NAMES,
    SENTENCES,
    by_profile,
    by_requirement,
    counted,
    without_check,
)
from octomil_conformance.run import Run, Verdict

HEAD = ("", "requirement", "where", "got", "want", "breaks")


def append_markdown(run: Run, path: Path) -> None:
    append(markdown(run), path)


def markdown(run: Run) -> str:
    url = code(run.config.url, run.config.token)
    blocks = [
        f"## {SENTENCES[run.conclusion()]}",
        f"{url}, octomil-conformance {__version__}, spec {spec.VERSION}",
        f"{counted(run.counts())}, in {run.seconds:.1f} s.",
        _profiles(run),
        *_notes(run),
    ]
    found = _findings(run)
    if found:
        blocks += ["### What was found", table(HEAD, found)]
    return "\n\n".join(blocks) + "\n\n"


def not_tested(reason: str, token: str | None) -> str:
    """For a run that could not begin."""
    return f"## Could not test\n\n{code(reason, token)}\n\n"


def _profiles(run: Run) -> str:
    outcomes = [each for each in NAMES if run.counts()[each]]
    rows = [
        [f"{profile}@{run.config.claims[profile]}"]
        + [str(counts[each]) for each in outcomes]
        for profile, counts in by_profile(run).items()
    ]
    rows += [
        [profile, *["not declared"][: len(outcomes)], *[""] * (len(outcomes) - 1)]
        for profile in run.config.not_declared()
    ]
    return table(["profile", *(NAMES[each] for each in outcomes)], rows)


def _notes(run: Run) -> list[str]:
    """What belongs to no verdict."""
    token = run.config.token
    notes = [f"**Fault of the suite**: {code(each, token)}" for each in run.faults]
    notes += [
        f"**Stale**: {plain(each.check)} was expected to fail, but it does not. "
        f"The reason was: {plain(f'{each.reason} {each.link}', token)}"
        for each in run.stale()
    ]
    notes += [
        f"**Untestable**: {each.id}, {ours(each.untestable)}"
        for each in without_check(run.config)
    ]
    return notes


def _findings(run: Run) -> list[list[str]]:
    """A row for the verdicts of one kind on one requirement. Got and want are the first one's."""
    return [
        _row(requirement, list(alike), run.config.token)
        for requirement, verdicts in by_requirement(run).items()
        for outcome, alike in groupby(verdicts, lambda each: each.outcome)
        if outcome != "pass"
    ]


def _row(
    requirement: spec.Requirement, verdicts: list[Verdict], token: str | None
) -> list[str]:
    first = verdicts[0]
    got = [code(text, token) for text in (first.evidence.got, first.reason) if text]
    return [
        f"**{LABELS[first.outcome]}**",
        f"**{requirement.id}** {requirement.force} {ours(requirement.text)}",
        "<br>".join(plain(f"{each.profile}: {each.check}") for each in verdicts),
        "<br>".join(got),
        code(first.evidence.want, token),
        ours(requirement.breaks),
    ]
