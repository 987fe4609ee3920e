"""The real Python SDK reads everything that a conformant server may send. The README says what it does with other servers."""

import re
import sys

import pytest
from processes import listening
from python_client import printed_when_pasted
from sdk_table import SAME, in_readme, measure, text_of


@pytest.fixture(scope="module")
def measured():
    return measure()


def test_the_sdk_reads_every_variant(measured):
    variants = [
        each for each in measured.made if each.layer and not each.layer.violates
    ]
    read = {each.name: {*measured.cells(each)} - {SAME, ""} for each in variants}

    assert len(read) > 30
    assert [name for name, other in read.items() if other] == []


def test_the_readme_says_what_the_sdk_makes_of_each(measured):
    """`python tests/live/sdk_table.py` writes it."""
    assert in_readme() == text_of(measured)


def test_the_lines_that_serve_prints_work_when_pasted(sdk_python, tmp_path):
    command = [sys.executable, "-m", "octomil_conformance", "serve", "--port", "0"]
    with listening(command, {}, "Octomil API on ") as server:
        server.wait_for_line(r"print\(token\)")
        printed = printed_when_pasted(sdk_python, server.lines, tmp_path)

    tokens = re.findall(r"\(token='(.*?)'", printed)
    assert tokens == ["one", " two", " three", ""]
