"""One requirement as HTML: its sentence, and every verdict on it."""

from octomil_conformance import spec
from octomil_conformance.exchange import Exchange
from octomil_conformance.report.html import NOTHING, Markup, Writer, join
from octomil_conformance.report.html_exchange import NARROW, WIDE, drawn
from octomil_conformance.report.words import plural
from octomil_conformance.run import Verdict

Judged = list[tuple[spec.Requirement, list[Verdict]]]
"""The verdicts on each requirement, the worst first."""

REASON = 4000
"""Characters of a reason, which may be a traceback."""
EARLIER = 3
"""Exchanges of one check that are shown beside the last one."""


def article(
    write: Writer, requirement: spec.Requirement, verdicts: list[Verdict]
) -> Markup:
    """Open unless all passed."""
    worst = verdicts[0].outcome
    title = write.tag(
        "h3",
        write.label(worst),
        write.tag("span", f" {requirement.id} ", class_="id"),
        write.tag("span", f"{requirement.force} ", class_="force"),
        write.prose(requirement.text),
    )
    return write.tag(
        "details",
        write.tag("summary", title),
        _about(write, requirement),
        *(_verdict(write, each) for each in verdicts),
        class_="requirement",
        id=requirement.id,
        open=worst != "pass",
    )


def _about(write: Writer, requirement: spec.Requirement) -> Markup:
    rows = {
        "Level": f"{requirement.level}, {spec.LEVELS[requirement.level]}",
        "Origin": f"{requirement.provenance}: {spec.ORIGINS[requirement.provenance]}",
        "Breaks": requirement.breaks,
        "Spec": requirement.place,
    }
    return _rows(write, {name: write.prose(text) for name, text in rows.items()})


def _verdict(write: Writer, verdict: Verdict) -> Markup:
    title = write.tag(
        "summary",
        write.label(verdict.outcome),
        write.tag("strong", f" {verdict.profile}: "),
        verdict.check,
        write.tag("small", f" {verdict.seconds:.3f} s"),
    )
    return write.tag(
        "details",
        *(title, _evidence(write, verdict), _exchanges(write, verdict)),
        class_="verdict",
        data_outcome=verdict.outcome,
        data_profile=verdict.profile,
        open=verdict.outcome != "pass",
    )


def _evidence(write: Writer, verdict: Verdict) -> Markup:
    evidence = verdict.evidence
    rows = {"Got": evidence.got, "Want": evidence.want, "Reason": verdict.reason}
    cut = {name: write.cut(text, REASON) for name, text in rows.items() if text}
    return _rows(write, {name: write.tag("pre", text) for name, text in cut.items()})


def _rows(write: Writer, rows: dict[str, Markup]) -> Markup:
    """Without the empty ones."""
    written = [
        write.tag("dt", name) + write.tag("dd", text)
        for name, text in rows.items()
        if text
    ]
    return write.tag("dl", *map(Markup, written)) if written else NOTHING


def _exchanges(write: Writer, verdict: Verdict) -> Markup:
    """The last one, which was judged; for what did not pass also earlier ones."""
    if not verdict.exchanges:
        return NOTHING
    *earlier, judged = verdict.exchanges
    if verdict.outcome == "pass":
        return drawn(write, judged, NARROW)
    return join([drawn(write, judged, WIDE), *_earlier(write, earlier)])


def _earlier(write: Writer, exchanges: list[Exchange]) -> list[Markup]:
    """The first few: they are alike."""
    left_out = len(exchanges) - EARLIER
    more = f", of which {left_out} are left out" if left_out > 0 else ""
    count = plural(len(exchanges), "earlier exchange")
    title = write.tag("summary", f"{count} of this check{more}")
    shown = [drawn(write, each, NARROW) for each in exchanges[:EARLIER]]
    return [write.tag("details", title, *shown, class_="earlier")] * bool(shown)
