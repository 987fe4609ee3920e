"""Writes recordings to the current folder, and runs the command on them."""

import json
from pathlib import Path

from octomil_conformance import cli


def lay(**files):
    """Writes files to the current folder. In their names the last `_` stands for the dot, and `__` for a slash."""
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        path = Path(f"{stem.replace('__', '/')}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)


def judged(*arguments):
    """The exit code, and the outcomes by requirement."""
    status = cli.main(["fixtures", *arguments, "--json", "report.json"])
    report = json.loads(Path("report.json").read_text())
    Path("report.json").unlink()
    return status, {each["requirement"]: each["outcome"] for each in report["verdicts"]}


def named(outcomes, *wanted):
    return sorted(name for name, outcome in outcomes.items() if outcome in wanted)
