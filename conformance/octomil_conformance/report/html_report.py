"""The report to look at: one HTML file with the conclusion on top, and everything that led to it below."""

from itertools import groupby
from pathlib import Path

from octomil_conformance import __version__, spec
from octomil_conformance.report import words
from octomil_conformance.report.html import page
from octomil_conformance.run import EXIT_CODES, Run

STATES = {
    "conformant": "pass",
    "partial": "expected",
    "not conformant": "fail",
    "could not test": "untestable",
    "suite at fault": "error",
}
"""The colour of each conclusion: that of the outcome which led to it."""


def write_html(run: Run, path: Path) -> None:
    conclusion = run.conclusion()
    judged = list(words.by_requirement(run).items())
    sections = groupby(judged, lambda each: each[0].section)
    profiles = sorted({each.profile for each in run.verdicts})
    text = page(
        "report.html",
        run.config.token,
        run=run,
        suite=__version__,
        spec_version=run.config.spec_version,
        conclusion=words.SENTENCES[conclusion],
        state=STATES[conclusion],
        counts=words.totals(run),
        exit_code=EXIT_CODES[conclusion],
        profiles=_profiles(run),
        findings=[each for each in judged if each[1][0].outcome != "pass"],
        untestable=words.without_check(run.config),
        sections=[(heading, list(members)) for heading, members in sections],
        verdict_choices=_verdict_choices(run),
        profile_choices=[("", "all"), *((each, each) for each in profiles)],
    )
    path.write_text(text, "utf-8")


def _profiles(run: Run) -> tuple[str, list[str], list[list[str]]]:
    """Caption, head and rows of a table: each claimed profile with its outcomes, and the profiles that were not claimed."""
    outcomes = [each for each in words.NAMES if run.counts()[each]]
    head = ["profile", "claimed", *(words.NAMES[each] for each in outcomes)]
    rows = []
    for profile, counts in words.by_profile(run).items():
        level = run.config.claims[profile]
        claimed = f"level {level}, {spec.LEVELS[level]}"
        rows.append([profile, claimed, *(str(counts[each]) for each in outcomes)])
    for profile in run.config.not_declared():
        rows.append([profile, "not declared", *["–"] * len(outcomes)])
    twice = "; those of auth count at their endpoint, too"
    caption = f"Checks by profile{twice if 'auth' in run.config.claims else ''}"
    return caption, head, rows


def _verdict_choices(run: Run) -> list[tuple[str, str]]:
    counts = run.counts()
    found = [each for each in words.LABELS if counts[each]]
    return [
        *(("", "all"), ("not pass", "all but passed")),
        *((each, f"{words.NAMES[each]} ({counts[each]})") for each in found),
    ]
