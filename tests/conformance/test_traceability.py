"""Sentence of the spec, requirement, check, mutant: none without the next, in either direction."""

import ast
import inspect
import re
import textwrap

import pytest
from deletion import assertions
from octomil_conformance import spec
from octomil_conformance.catalogue import all_checks
from octomil_conformance.requirement import requirement_of
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.variants import all_variants

REQUIREMENTS = spec.requirements()
CHECKED = {requirement_of(check).id for check in all_checks()}
UNTESTABLE = {name for name, each in REQUIREMENTS.items() if each.untestable}
BROKEN = {name for mutant in all_mutants().values() for name in mutant.violates}
PROSE = spec.PROSE.read_text("utf-8")


def test_every_sentence_with_a_number_is_a_requirement():
    assert re.findall(r"^\*\*\[([^]]+)\]\*\*", PROSE, re.MULTILINE) == [*REQUIREMENTS]


def test_every_requirement_can_be_linked_to():
    assert re.findall(r'<a id="([A-Z]+-\d\d)"></a>', PROSE) == [*REQUIREMENTS]


def test_every_number_that_is_mentioned_is_a_requirement():
    assert set(re.findall(r"\b[A-Z]+-\d\d\b", PROSE)) == REQUIREMENTS.keys()


def test_must_and_should_stand_in_requirements_only():
    sentences = [line for line in PROSE.splitlines() if line.startswith("**[")]
    intro = PROSE[: PROSE.index("## 1.")]
    elsewhere = PROSE[len(intro) :]
    for sentence in sentences:
        elsewhere = elsewhere.replace(sentence, "")

    assert re.findall(r".*\b(?:MUST|SHOULD)\b.*", elsewhere) == []


def test_no_requirement_of_this_version_is_lost_or_added():
    assert set(spec.required()) == REQUIREMENTS.keys()


def test_every_requirement_has_a_check_or_a_reason():
    assert CHECKED | UNTESTABLE == REQUIREMENTS.keys()
    assert CHECKED.isdisjoint(UNTESTABLE)


def test_every_checked_requirement_is_broken_by_a_mutant():
    assert BROKEN == CHECKED


def test_the_counts_are_told(counts):
    counts["requirements"] = f"{len(REQUIREMENTS)}, {len(UNTESTABLE)} untestable"
    counts["checks"] = len(all_checks())
    counts["assertions"] = len(assertions())
    counts["mutants"] = len(all_mutants())
    counts["variants"] = len(all_variants())

    assert len(all_mutants()) >= 60
    assert len(all_variants()) >= 20


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.__name__)
def test_a_check_decides_nothing_but_what_it_asserts(check):
    tree = ast.parse(textwrap.dedent(inspect.getsource(check)))
    words = [type(node).__name__ for node in ast.walk(tree)]

    assert [word for word in words if word in ("If", "Try", "While", "Raise")] == []
    assert "skip" not in inspect.getsource(check)
