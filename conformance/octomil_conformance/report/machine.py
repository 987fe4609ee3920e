"""The reports for machines: JSON with full transcripts, JUnit XML for CI."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from octomil_conformance import __version__, spec
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import curl, transcript
from octomil_conformance.run import Run, Verdict

FORMAT = 1
"""Of the JSON report; a new number when a field changes its meaning."""


def write_json(run: Run, path: Path) -> None:
    report = {
        "format": FORMAT,
        "suite": __version__,
        "spec": spec.VERSION,
        "url": run.config.url,
        "claims": dict(run.config.claims),
        "not_declared": run.config.not_declared(),
        "conclusion": run.conclusion(),
        "seconds": round(run.seconds, 3),
        "counts": dict(run.counts()),
        "faults": run.faults,
        "stale": [vars(expectation) for expectation in run.stale()],
        "verdicts": [_verdict(verdict) for verdict in run.verdicts],
    }
    text = json.dumps(report, indent=1)
    path.write_text(redact(text, run.config.token) + "\n", "utf-8")


def write_junit(run: Run, path: Path) -> None:
    counts = run.counts()
    suite = ElementTree.Element(
        "testsuite",
        name=f"octomil-conformance {__version__}, spec {spec.VERSION}",
        tests=str(len(run.verdicts) + len(run.stale())),
        failures=str(counts["fail"] + len(run.stale())),
        errors=str(counts["error"]),
        skipped=str(counts["expected"] + counts["untestable"]),
        time=f"{run.seconds:.3f}",
    )
    for verdict in run.verdicts:
        _case(suite, verdict)
    for expectation in run.stale():
        case = ElementTree.SubElement(
            suite, "testcase", classname="expected", name=expectation.check
        )
        ElementTree.SubElement(
            case, "failure", message="expected to fail, but it does not"
        )
    text = ElementTree.tostring(suite, encoding="unicode")
    path.write_text(_printable(redact(text, run.config.token)) + "\n", "utf-8")


def _verdict(verdict: Verdict) -> dict[str, Any]:
    requirement = verdict.requirement
    last = verdict.exchanges[-1:] if verdict.outcome != "pass" else ()
    return {
        "requirement": requirement.id,
        "force": requirement.force,
        "text": requirement.text,
        "provenance": requirement.provenance,
        "level": requirement.level,
        "profile": verdict.profile,
        "check": verdict.check,
        "outcome": verdict.outcome,
        "seconds": verdict.seconds,
        "got": verdict.evidence.got,
        "want": verdict.evidence.want,
        "breaks": requirement.breaks,
        "reason": verdict.reason,
        "repro": "".join(map(curl, last)),
        "exchanges": [transcript(exchange) for exchange in verdict.exchanges],
    }


def _case(suite: ElementTree.Element, verdict: Verdict) -> None:
    requirement = verdict.requirement
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{verdict.profile}.{requirement.id}",
        name=verdict.check,
        time=f"{verdict.seconds:.3f}",
    )
    message = requirement.text
    if verdict.outcome == "fail":
        failure = ElementTree.SubElement(case, "failure", message=message)
        repro = "".join(map(curl, verdict.exchanges[-1:]))
        failure.text = f"got {verdict.evidence.got}\nwant {verdict.evidence.want}\nbreaks {requirement.breaks}\n{repro}"
    elif verdict.outcome == "error":
        ElementTree.SubElement(case, "error", message=message).text = verdict.reason
    elif verdict.outcome in ("expected", "untestable"):
        ElementTree.SubElement(case, "skipped", message=verdict.reason)
    elif verdict.outcome == "warn":
        output = ElementTree.SubElement(case, "system-out")
        output.text = f"warning: {message}\ngot {verdict.evidence.got}\nwant {verdict.evidence.want}"


def _printable(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(
        letter
        if letter in "\n\t" or letter >= " " and letter not in "\ufffe\uffff"
        else "\ufffd"
        for letter in text
    )
