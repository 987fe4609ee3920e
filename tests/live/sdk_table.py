"""Measures how the real Python SDK reacts to each scenario, variant and mutant of `octomil-conformance serve`.

python tests/live/sdk_table.py    measures, and writes it into conformance/README.md
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import certifi
from models import SDK, python_sdk
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.scenarios import sentences
from octomil_conformance.server.served import Upstreams, served
from octomil_conformance.server.subjects import Subject as Served
from octomil_conformance.server.variants import all_variants

README = Path(__file__).parents[2] / "conformance" / "README.md"
BEGIN = "<!-- measured by tests/live/sdk_table.py: begin -->"
END = "<!-- measured by tests/live/sdk_table.py: end -->"

READER = Path(__file__).with_name("sdk_reader.py")
TOKEN = "conf-token"
TIMEOUT = 5.0
"""Seconds that the server waits for a token. `serve` waits 2, which a busy machine may exceed between two tokens."""

CALLS = ["`stream_predict`", "`embed`"]
BODIES = {
    "stream": {"model_id": "any", "input_data": "one two three"},
    "embed": {"model_id": "any", "input": ["apple", "pear"]},
}
"""The requests that these methods of the SDK send, by profile."""
SLOW = ("long", "ponder", "giant", "wait", "late", "late-beginning")
"""Scenarios that take seconds, or more than the timeout on a busy machine. `huge` and `drip` show what clients make of them."""
SAME = "the same"
SHORT = 30
"""Longer values are not shown."""


@dataclass(frozen=True, eq=False)
class Subject:
    name: str
    scenario: str
    layer: Served | None = None

    @property
    def called(self) -> list[str]:
        """The profiles of the SDK's endpoints that it concerns."""
        claims = self.layer.claims if self.layer else BODIES
        return [profile for profile in BODIES if profile in claims]


@dataclass(frozen=True)
class Measured:
    made: Mapping[Subject, Mapping[str, Any]]
    """What the SDK makes of the answers of a subject, by profile: see sdk_reader.py."""
    right: Mapping[str, Subject]
    """The good server in a scenario."""

    def cells(self, subject: Subject) -> list[str]:
        """A cell for each profile: `SAME` if the SDK makes the same of a good server; empty if it does not call the subject."""
        return [
            (self._difference(subject, profile) or SAME)
            if profile in subject.called
            else ""
            for profile in BODIES
        ]

    def _difference(self, subject: Subject, profile: str) -> str:
        made = self.made[subject][profile]
        right = self.made[self.right[subject.scenario]][profile]
        how = made["result"] if made["raised"] else "silently"
        if (made["raised"] or right["raised"]) and made["result"] != right["result"]:
            instead = right["result"].removeprefix("raises ")
            wrong = f": {made['result']} instead of {instead}"
            return how if made["raised"] else how + wrong
        other = [
            f"{name} is {value}" if len(value) < SHORT else f"other {name}"
            for name, value in made["read"].items()
            if value != right["read"].get(name)
        ]
        return f"{how}: {', '.join(other)}" if other else ""


def subjects() -> list[Subject]:
    """Good servers first, each in a scenario; then the variants and mutants that clients can see."""
    # A client cannot tell which of the two upstreams a mutant's answer came through.
    found = [each for each in all_mutants().values() if each.through != "openai"]
    mutants = [each for each in found if each.shows not in (None, *SLOW)]
    variants = [each for each in all_variants().values() if each.shows]
    named = [name for name in sentences() if name not in SLOW]
    scenarios = dict.fromkeys([*named, *(str(each.shows) for each in mutants)])
    return [
        *(Subject(name, name) for name in scenarios),
        *(Subject(each.name, "echo", each) for each in variants),
        *(Subject(each.name, str(each.shows), each) for each in mutants),
    ]


def measure() -> Measured:
    every = subjects()
    with ExitStack() as stack:
        backend = ScriptedBackend(ANY_PORT, ANY_PORT, TIMEOUT)
        stack.enter_context(backend)
        upstreams = Upstreams(backend.ollama_url, backend.openai_url, TIMEOUT)
        urls = {}
        for each in every:
            scenario = "" if each.layer else each.scenario
            server = served(upstreams, TOKEN, each.layer, scenario)
            urls[each] = stack.enter_context(serving(server, TOKEN))
        made = _read([(url, each.called) for each, url in urls.items()])
    right = {each.scenario: each for each in every if each.layer is None}
    return Measured(dict(zip(every, made, strict=True)), right)


def _read(servers: list[tuple[str, list[str]]]) -> list[Mapping[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        ended = subprocess.run(
            [python_sdk(), READER],
            input=json.dumps({"servers": servers, "token": TOKEN, "bodies": BODIES}),
            env={
                "HOME": home,
                "SSL_CERT_FILE": _one_certificate(home),
                "OCTOMIL_API_BASE": f"{servers[0][0]}/api/v1",
                "OCTOMIL_DISABLE_TELEMETRY": "1",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    [line] = [each for each in ended.stdout.splitlines() if each.startswith("MADE ")]
    made: list[Mapping[str, Any]] = json.loads(line.removeprefix("MADE "))
    return made


def _one_certificate(folder: str) -> str:
    """A file with one certificate. Each of the SDK's clients loads all of them, which takes 50 ms."""
    certificates = Path(certifi.where()).read_text("utf-8")
    first, end, _ = certificates.partition("END CERTIFICATE-----\n")
    file = Path(folder, "one.pem")
    file.write_text(first + end, "utf-8")
    return str(file)


def text_of(measured: Measured) -> str:
    """The text for the README."""
    layered = [each for each in measured.made if each.layer]
    variants = [each for each in layered if not each.layer.violates]
    mutants = [each for each in layered if each.layer.violates]
    parts = [
        f"Measured with {SDK}. *Silently* means that the SDK raises no exception; at most, it logs a line.",
        _table(["scenario", *CALLS], _grouped(measured)),
        _variants(measured, variants),
        _mutants(measured, mutants),
    ]
    return "\n\n".join(parts)


def _grouped(measured: Measured) -> list[list[str]]:
    """Scenarios with the same result, in one row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in measured.right.values():
        if each.name in sentences():
            row = tuple(made["result"] for made in measured.made[each].values())
            rows.setdefault(row, []).append(f"`{each.name}`")
    return [[", ".join(names), *row] for row, names in rows.items()]


def _variants(measured: Measured, variants: Iterable[Subject]) -> str:
    concern = [each for each in variants if each.called]
    read = [each for each in concern if set(measured.cells(each)) <= {SAME, ""}]
    return f"The SDK reads {len(read)} of the {len(concern)} variants that concern these two calls."


def _mutants(measured: Measured, mutants: Iterable[Subject]) -> str:
    called = [each for each in mutants if each.called]
    rows = [
        [f"`{each.name}`", _sentence(each), *measured.cells(each)] for each in called
    ]
    met = [row for row in rows if {*row[2:]} - {SAME, ""}]
    same = ", ".join(row[0] for row in rows if row not in met)
    others = len([each for each in mutants if not each.called])
    unmet = f"To the SDK these mutants look like a correct server, because it does not check what is wrong or sends no request that shows it: {same}."
    return "\n\n".join(
        [
            _table(["mutant", "what is wrong", *CALLS], met),
            fill(unmet, 150, break_on_hyphens=False),
            f"{others} more mutants are wrong only at endpoints that this SDK does not call.",
        ]
    )


def _sentence(subject: Subject) -> str:
    bug = subject.layer.sentence if subject.layer else ""
    return bug if subject.scenario == "echo" else f"{bug} (`{subject.scenario}`)"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def in_readme() -> str:
    return README.read_text("utf-8").split(BEGIN)[1].split(END)[0].strip()


def main() -> None:
    before, rest = README.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    text = text_of(measure())
    README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
