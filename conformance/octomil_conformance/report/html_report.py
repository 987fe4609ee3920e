"""The report to look at: one HTML file with the conclusion on top, and everything that led to it below."""

from collections import Counter
from itertools import groupby
from pathlib import Path

from octomil_conformance import __version__, spec
from octomil_conformance.report.html import NOTHING, Markup, Writer, document, join
from octomil_conformance.report.html_requirement import Judged, article
from octomil_conformance.report.words import (
    LABELS,
    NAMES,
    SENTENCES,
    by_profile,
    by_requirement,
    counted,
    without_check,
)
from octomil_conformance.run import EXIT_CODES, Outcome, Run

STATES = {
    "conformant": "pass",
    "partial": "expected",
    "not conformant": "fail",
    "could not test": "untestable",
    "suite at fault": "error",
}
"""The colour of each conclusion: that of the outcome which led to it."""


def write_html(run: Run, path: Path) -> None:
    write = Writer(run.config.token)
    judged = list(by_requirement(run).items())
    sections = _sections(write, judged)
    body = [
        _header(write, run),
        write.tag(
            "main",
            *(_stale(write, run), _findings(write, judged)),
            *(_without_check(write, run), _filter(write, run)),
            write.tag("div", *sections, id="requirements", tabindex="-1"),
        ),
    ]
    title = write.text(f"{SENTENCES[run.conclusion()]}: {run.config.url}")
    path.write_text(document(title, join(body)), "utf-8")


def _header(write: Writer, run: Run) -> Markup:
    conclusion = run.conclusion()
    stale = f", {len(run.stale())} stale" if run.stale() else ""
    strict = " Strict: a broken SHOULD fails, too." if run.config.strict else ""
    return write.tag(
        "header",
        write.tag("a", "Skip to the requirements", class_="skip", href="#requirements"),
        write.tag("p", f"octomil-conformance {__version__}, spec {spec.VERSION}"),
        write.tag("h1", SENTENCES[conclusion], class_=STATES[conclusion]),
        write.tag("p", run.config.url, class_="url"),
        write.tag(
            "p",
            f"{counted(run.counts())}{stale}, in {run.seconds:.1f} s: "
            f"exit code {EXIT_CODES[conclusion]}.{strict}",
        ),
        _profiles(write, run),
    )


def _profiles(write: Writer, run: Run) -> Markup:
    """What was claimed and what came of it, and what was not claimed."""
    outcomes = [each for each in NAMES if run.counts()[each]]
    head = ["profile", "claimed", *(NAMES[each] for each in outcomes)]
    rows = [
        (profile, f"level {level}, {spec.LEVELS[level]}", *_numbers(counts, outcomes))
        for (profile, level), counts in zip(
            run.config.claims.items(), by_profile(run).values(), strict=True
        )
    ]
    rows += [
        (profile, "not declared", *("–" for _ in outcomes))
        for profile in run.config.not_declared()
    ]
    twice = "; those of auth count at their endpoint, too"
    caption = f"Checks by profile{twice if 'auth' in run.config.claims else ''}"
    return write.table(caption, head, rows)


def _numbers(counts: Counter[Outcome], outcomes: list[Outcome]) -> list[str]:
    return [str(counts[each]) for each in outcomes]


def _filter(write: Writer, run: Run) -> Markup:
    counts = run.counts()
    found = [each for each in LABELS if counts[each]]
    outcomes = [(each, f"{NAMES[each]} ({counts[each]})") for each in found]
    profiles = [
        (each, each) for each in sorted({each.profile for each in run.verdicts})
    ]
    verdicts = [("", "all"), ("not pass", "all but passed"), *outcomes]
    buttons = write.tag(
        "p",
        write.tag("button", "Open all", type="button", id="open"),
        write.tag("button", "Close all", type="button", id="close"),
    )
    return write.choices(
        write.choice("outcome", "Verdict", verdicts),
        write.choice("profile", "Profile", [("", "all"), *profiles]),
        buttons=buttons,
    )


def _findings(write: Writer, judged: Judged) -> Markup:
    """What did not pass, each with a link."""
    items = [
        write.tag(
            "li",
            *(write.label(verdicts[0].outcome), " "),
            write.tag("a", requirement.id, href=f"#{requirement.id}"),
            f" {requirement.force} ",
            write.prose(requirement.text),
        )
        for requirement, verdicts in judged
        if verdicts[0].outcome != "pass"
    ]
    return _listed(write, "What was found", items)


def _stale(write: Writer, run: Run) -> Markup:
    items = [
        write.tag(
            "li",
            write.tag("strong", f"{each.check} "),
            "was expected to fail, but it does not: remove it from the list. ",
            f"The reason was: {each.reason} {each.link}",
        )
        for each in run.stale()
    ]
    return _listed(write, "Stale expectations", items)


def _without_check(write: Writer, run: Run) -> Markup:
    items = [
        write.tag(
            "li",
            *(write.tag("strong", each.id), f" {each.force} "),
            write.prose(each.text),
            write.tag("br"),
            f"Untestable: {each.untestable}",
        )
        for each in without_check(run.config)
    ]
    return _listed(write, "Claimed, but no check can judge it", items)


def _listed(write: Writer, heading: str, items: list[Markup]) -> Markup:
    if not items:
        return NOTHING
    listed = write.tag("ul", *items)
    return write.tag("section", write.tag("h2", heading), listed)


def _sections(write: Writer, judged: Judged) -> list[Markup]:
    """The sections of the spec."""
    return [
        write.tag(
            "section",
            write.tag("h2", heading),
            *(article(write, *each) for each in members),
            class_="requirements",
        )
        for heading, members in groupby(judged, lambda each: each[0].section)
    ]
