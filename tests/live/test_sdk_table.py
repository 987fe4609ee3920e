"""The real Python SDK reads everything that a conformant server may send. The README says what it does with other servers."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from octomil_conformance.server.variants import all_variants
from processes import listening
from reference import PATIENCE
from sdk_table import CALLED, SAME, Measured, in_readme, measure, text_of
from sdk_words import embed_words, stream_words

CONCERN_IT = [name for name, each in all_variants().items() if each.shows and set(CALLED) & set(each.claims)]  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure()


@pytest.mark.parametrize("name", CONCERN_IT)
def test_the_sdk_reads_every_variant(measured: Measured, name: str) -> None:
    [subject] = [each for each in measured.made if each.name == name and each.layer]

    cells = [measured.cell(subject, profile) for profile in subject.called]

    assert set(cells) == {SAME}


def test_the_readme_says_what_the_sdk_makes_of_each(measured: Measured) -> None:
    """`python tests/live/sdk_table.py` writes it."""
    assert in_readme() == text_of(measured)


def test_the_lines_that_serve_prints_work_when_pasted(
    sdk_python: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "octomil_conformance", "serve", "--port", "0"]
    with listening(command, {}, "Octomil API on ") as server:
        server.wait_for_line(r"print\(token\)")
        code = "\n".join(server.lines).partition("environment of its own):\n")[2]
        ended = subprocess.run(
            [sdk_python, "-c", dedent(code)],
            env={"HOME": str(tmp_path), "OCTOMIL_DISABLE_TELEMETRY": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )

    tokens = re.findall(r"\(token='(.*?)'", ended.stdout)
    assert tokens == ["one", " two", " three", ""]


GOOD = {
    "hangs": False,
    "tokens": [["a", False, "p", None, None], ["", True, "p", 1.5, "s"]],
}
CUT = {"hangs": False, "tokens": GOOD["tokens"][:1], "raised": "ReadError"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"hangs": True}, "hangs"),
        ({"raised": "ReadError"}, "raises `ReadError` after 1 tokens"),
        ({"tokens": [], "raised": "E 502"}, "raises `E` 502"),
        ({"tokens": []}, "silently: no text at all"),
        ({"tokens": GOOD["tokens"][1:]}, "silently: no text at all"),
        ({"tokens": [["b", False, "p", None, None], GOOD["tokens"][1]]}, "silently: other text"),
        ({"tokens": [GOOD["tokens"][0], *GOOD["tokens"]]}, "silently: more text"),
        ({"tokens": [[{}, False, "p", None, None]]}, "silently: tokens that are no text"),
        ({"tokens": GOOD["tokens"][:1]}, "silently: never `done`"),
        ({"tokens": [*GOOD["tokens"], GOOD["tokens"][1]]}, "silently: `done` 2 times"),
        ({"tokens": [GOOD["tokens"][0], ["", True, "p", -1.5, "s"]]}, "silently: `latency_ms` is -1.5"),
    ],
)  # fmt: skip
def test_a_stream_is_told_in_words(changes: dict[str, object], words: str) -> None:
    assert stream_words({**GOOD, **changes}, GOOD) == words


def test_a_cut_that_is_not_noticed_is_told_as_such() -> None:
    short = {"hangs": False, "tokens": CUT["tokens"]}

    assert stream_words(short, CUT) == "silently: 1 tokens and no `done` instead of `ReadError`"  # fmt: skip
    assert stream_words(CUT, CUT) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"raised": "KeyError"}, "raises `KeyError`"),
        ({"vectors": [[1.0]]}, "silently: a vector less"),
        ({"vectors": [[1.0], [3.0]]}, "silently: other vectors"),
        ({"rest": ["m", 0, 2]}, "silently: `prompt_tokens` is 0"),
    ],
)
def test_vectors_are_told_in_words(changes: dict[str, object], words: str) -> None:
    right = {"hangs": False, "vectors": [[1.0], [2.0]], "rest": ["m", 2, 2]}

    assert embed_words({**right, **changes}, right) == words
