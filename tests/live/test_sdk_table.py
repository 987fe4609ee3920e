"""The real Python SDK reads everything that a conformant server may send. The README says what it does with other servers."""

import re
import subprocess
import sys
from textwrap import dedent

import pytest
from octomil_conformance.server.variants import all_variants
from processes import listening
from reference import PATIENCE
from sdk_table import CALLED, SAME, in_readme, measure, text_of

CONCERN_IT = [name for name, each in all_variants().items() if each.shows and set(CALLED) & set(each.claims)]  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    return measure()


@pytest.mark.parametrize("name", CONCERN_IT)
def test_the_sdk_reads_every_variant(measured, name):
    [subject] = [each for each in measured.made if each.name == name and each.layer]

    cells = [measured.cell(subject, profile) for profile in subject.called]

    assert set(cells) == {SAME}


def test_the_readme_says_what_the_sdk_makes_of_each(measured):
    """`python tests/live/sdk_table.py` writes it."""
    assert in_readme() == text_of(measured)


def test_the_lines_that_serve_prints_work_when_pasted(sdk_python, tmp_path):
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
