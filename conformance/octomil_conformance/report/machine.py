"""The reports for machines: JSON with every exchange, and JUnit XML for CI."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from octomil_conformance import __version__, spec
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import Texts, curl, transcript
from octomil_conformance.run import Run, Verdict

FORMAT = 3
"""The format of the JSON report. It gets a new number when a field changes its meaning."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def write_json(run: Run, path: Path) -> None:
    token = run.config.token
    exchanges = {
        id(each): each for verdict in run.verdicts for each in verdict.exchanges
    }
    places = {key: place for place, key in enumerate(exchanges)}
    texts = Texts(token)
    seen = [transcript(exchange, texts) for exchange in exchanges.values()]
    report = {
        "format": FORMAT,
        "suite": __version__,
        "spec": run.config.spec_version,
        "url": redact(run.config.url, token),
        "claims": dict(run.config.claims),
        "not_declared": run.config.not_declared(),
        "conclusion": run.conclusion(),
        "seconds": round(run.seconds, 3),
        "counts": dict(run.counts()),
        "stale": _masked([vars(expectation) for expectation in run.stale()], token),
        "notes": _masked(run.notes(), token),
        "requirements": {
            each.requirement.id: _facts(each.requirement) for each in run.verdicts
        },
        "verdicts": [_verdict(verdict, places, token) for verdict in run.verdicts],
        "exchanges": _masked(seen, token),
        "texts": texts.all(),
    }
    lines = (f"{json.dumps(name)}: {_lines(value)}" for name, value in report.items())
    path.write_text("{" + ",\n".join(lines) + "}\n", "utf-8")


def _lines(value: Any) -> str:
    """JSON on one line. A list has a line for each item, so that a report with thousands of them is readable."""
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(map(json.dumps, value)) + "]"


def write_junit(run: Run, path: Path) -> None:
    counts = run.counts()
    suite = ElementTree.Element(
        "testsuite",
        name=f"octomil-conformance {__version__}, spec {run.config.spec_version}",
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


def _facts(requirement: spec.Requirement) -> dict[str, Any]:
    names = ("force", "text", "provenance", "level", "breaks")
    return {name: getattr(requirement, name) for name in names}


def _verdict(
    verdict: Verdict, places: dict[int, int], token: str | None
) -> dict[str, Any]:
    """`exchanges` has the indexes of its exchanges in the list of all. The verdict is about the last one."""
    last = verdict.exchanges[-1:] if verdict.outcome != "pass" else ()
    seen = {
        "got": verdict.evidence.got,
        "want": verdict.evidence.want,
        "reason": verdict.reason,
        "repro": "".join(map(curl, last)),
    }
    return {
        "requirement": verdict.requirement.id,
        "profile": verdict.profile,
        "check": verdict.check,
        "outcome": verdict.outcome,
        "seconds": verdict.seconds,
        **_masked(seen, token),
        "exchanges": [places[id(exchange)] for exchange in verdict.exchanges],
    }


def _masked(value: Any, token: str | None) -> Any:
    """Redacts all texts in `value`, but not the names of fields, even if the token equals one of them."""
    if isinstance(value, str):
        return redact(value, token)
    if isinstance(value, dict):
        return {name: _masked(each, token) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, token) for each in value]
    return value


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
        breaks = f"breaks {requirement.breaks}" if requirement.breaks else ""
        lines = [f"got {verdict.evidence.got}", f"want {verdict.evidence.want}", breaks]
        lines += map(curl, verdict.exchanges[-1:])
        failure.text = "\n".join(filter(None, lines))
    elif verdict.outcome == "error":
        ElementTree.SubElement(case, "error", message=message).text = verdict.reason
    elif verdict.outcome in ("expected", "untestable"):
        ElementTree.SubElement(case, "skipped", message=verdict.reason)
    elif verdict.outcome == "warn":
        output = ElementTree.SubElement(case, "system-out")
        output.text = f"warning: {message}\ngot {verdict.evidence.got}\nwant {verdict.evidence.want}"


def _printable(text: str) -> str:
    """XML cannot hold most control characters, or half of a surrogate pair."""
    return UNPRINTABLE.sub("\ufffd", text)
