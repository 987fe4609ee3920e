"""Measures how the real Python SDK reacts to each scenario, variant and mutant of `octomil-conformance serve`.

python tests/live/sdk_table.py    measures, and writes it into conformance/README.md
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
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
from sdk_words import embed_words, stream_words

README = Path(__file__).parents[2] / "conformance" / "README.md"
BEGIN = "<!-- measured by tests/live/sdk_table.py: begin -->"
END = "<!-- measured by tests/live/sdk_table.py: end -->"

READER = Path(__file__).with_name("sdk_reader.py")
TOKEN = "conf-token"
TIMEOUT = 5.0
"""Seconds that the server waits for a token. `serve` waits 2, which a busy machine may exceed between two tokens."""
AT_ONCE = 12
"""Calls of the plain client. All scenarios at once would keep some servers waiting for longer than their timeout."""

CALLED = {"stream": "/api/v1/inference/stream", "embed": "/api/v1/embeddings"}
"""By profile, the endpoints that the SDK has methods for."""
BODIES = {
    "stream": {"model_id": "any", "input_data": "one two three"},
    "embed": {"model_id": "any", "input": ["apple", "pear"]},
}
SLOW = ("long", "ponder", "giant", "wait", "late", "late-beginning")
"""Scenarios that take seconds, or more than the timeout on a busy machine. `huge` and `drip` show what clients make of them."""
SAME = "the same"
WORDS = {"stream": stream_words, "embed": embed_words}


@dataclass(frozen=True, eq=False)
class Subject:
    name: str
    scenario: str
    layer: Served | None = None

    @property
    def called(self) -> list[str]:
        """The profiles of the SDK's endpoints that it concerns."""
        claims = self.layer.claims if self.layer else CALLED
        return [profile for profile in CALLED if profile in claims]


@dataclass(frozen=True)
class Measured:
    made: Mapping[Subject, Mapping[str, Any]]
    """The results of the SDK's calls for a subject, by profile: see sdk_reader.py."""
    answers: Mapping[Subject, str]
    """The answers that a plain HTTP client gets."""
    right: Mapping[str, Subject]
    """The good server in a scenario."""

    def cell(self, subject: Subject, profile: str) -> str:
        """`SAME` if the SDK's result is the same as with a good server."""
        if profile not in subject.called:
            return ""
        made = self.made[subject][profile]
        right = self.made[self.right[subject.scenario]][profile]
        return WORDS[profile](made, right) or SAME

    def scenario_cell(self, subject: Subject, profile: str) -> str:
        return WORDS[profile](self.made[subject][profile], None)


def subjects() -> list[Subject]:
    """Good servers first, each in a scenario; then the variants and mutants that clients can see."""
    # A client cannot tell through which of the two upstreams it meets a mutant.
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
        good = [each for each in every if each.layer is None]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        answers = pool.map(_answers, [urls[each] for each in good])
        made = _read(list(urls.values()))
        answers = dict(zip(good, answers, strict=True))
    right = {each.scenario: each for each in good}
    return Measured(dict(zip(every, made, strict=True)), answers, right)


def _read(urls: list[str]) -> list[Mapping[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        ended = subprocess.run(
            [python_sdk(), READER],
            input=json.dumps({"urls": urls, "token": TOKEN, "bodies": BODIES}),
            env={
                "HOME": home,
                "SSL_CERT_FILE": _one_certificate(home),
                "OCTOMIL_API_BASE": f"{urls[0]}/api/v1",
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
    first, end, _ = Path(certifi.where()).read_text("utf-8").partition("END CERTIFICATE-----\n")  # fmt: skip
    file = Path(folder, "one.pem")
    file.write_text(first + end, "utf-8")
    return str(file)


def _answers(url: str) -> str:
    told = [_answer(url, path, BODIES[profile]) for profile, path in CALLED.items()]
    return " / ".join(dict.fromkeys(told))


def _answer(url: str, path: str, body: object) -> str:
    """The status, and whether the transfer breaks off."""
    address = url.removeprefix("http://")
    with closing(HTTPConnection(address, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        try:
            response.read()
        except IncompleteRead:
            return f"{response.status}, breaks off"
        wait = response.headers["Retry-After"]
        return (
            f"{response.status}, Retry-After {wait}" if wait else str(response.status)
        )


def text_of(measured: Measured) -> str:
    """The text for the README."""
    layered = [each for each in measured.made if each.layer]
    variants = [each for each in layered if not each.layer.violates]
    mutants = [each for each in layered if each.layer.violates]
    parts = [
        f"Measured with {SDK}. *Silently* means that it raises no exception; at most, it logs a line.",
        _table(
            ["scenario", "answer", "`stream_predict`", "`embed`"], _grouped(measured)
        ),
        _variants(measured, variants),
        _mutants(measured, mutants),
    ]
    return "\n\n".join(parts)


def _grouped(measured: Measured) -> list[list[str]]:
    """Scenarios with the same result, in one row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in measured.right.values():
        if each.name in sentences():
            cells = [measured.scenario_cell(each, profile) for profile in CALLED]
            row = (measured.answers[each], *cells)
            rows.setdefault(row, []).append(f"`{each.name}`")
    return [[", ".join(names), *row] for row, names in rows.items()]


def _variants(measured: Measured, variants: Iterable[Subject]) -> str:
    lost = [each for each in variants if set(_cells(measured, each)) - {SAME, ""}]
    read = [each for each in variants if each.called and each not in lost]
    text = f"It reads {len(read)} of the {len(read) + len(lost)} variants that concern these two calls."  # fmt: skip
    rows = [[f"`{each.name}`", *_cells(measured, each)] for each in lost]
    return text + (_table(["variant", "`stream_predict`", "`embed`"], rows) if rows else "")  # fmt: skip


def _mutants(measured: Measured, mutants: Iterable[Subject]) -> str:
    called = [each for each in mutants if each.called]
    met = [each for each in called if set(_cells(measured, each)) - {SAME, ""}]
    rows = [
        [f"`{each.name}`", _sentence(each), *_cells(measured, each)] for each in met
    ]
    table = _table(["mutant", "what is wrong", "`stream_predict`", "`embed`"], rows)
    same = ", ".join(f"`{each.name}`" for each in called if each not in met)
    others = len([each for each in mutants if not each.called])
    return "\n\n".join(
        [
            table,
            fill(
                f"It cannot tell these mutants from a good server, because it does not look at what is wrong or sends no request that shows it: {same}.",
                150,
                break_on_hyphens=False,
            ),
            f"{others} more mutants are wrong only at endpoints that this SDK does not call.",
        ]
    )


def _cells(measured: Measured, subject: Subject) -> list[str]:
    return [measured.cell(subject, profile) for profile in CALLED]


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
