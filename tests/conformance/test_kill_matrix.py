"""Conformant servers pass, each mutant fails exactly what it declares, each check finds a mutant, and so does each of its expectations."""

import ast
import re
from pathlib import Path

import pytest
from jobs import ONE_UPSTREAM, TOGETHER, Job, upstreams_of
from kill_matrix import TOKEN, difference, played, server
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.config import BASE_PATH, Config
from octomil_conformance.requirement import id_through
from octomil_conformance.runner import all_checks, judge
from octomil_conformance.server import mutants
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.variants import all_variants
from proofs import expectations, survivor_without


@pytest.mark.parametrize("name", ["conformant", *TOGETHER, *all_variants()])
def test_a_conformant_server_passes_everything(good, name):
    assert good[name].conclusion == "conformant", good[name]
    assert good[name].cells == (), good[name]


def test_a_server_with_one_upstream_is_not_judged_by_two(good):
    assert good[ONE_UPSTREAM].conclusion == "could not test"
    assert {cell.outcome for cell in good[ONE_UPSTREAM].cells} == {"untestable"}


def test_a_server_that_refuses_a_good_token_is_judged_although_it_calls_no_backend():
    name = "bearer_tokens_are_ignored"
    job = Job(name, {"embed": 2, "auth": 1}, frozenset({"AUTH-01"}))

    result = played([job], lambda result: False).results[name]

    assert (result.problem, result.found) == ("", {"AUTH-01"})


def test_a_finding_shows_the_answer_that_is_at_fault():
    backend = ScriptedBackend(ANY_PORT, ANY_PORT)
    with backend, server("streams_end_with_a_connection_that_ends", backend) as url:
        config = Config(url + BASE_PATH, {"stream": 2}, token=TOKEN)
        [verdict] = judge(config, only={"STREAM-19"}, backend=backend).verdicts

    assert (verdict.outcome, verdict.exchanges[-1].end) == ("fail", "closed")


@pytest.mark.parametrize("mutant", all_mutants().values(), ids=lambda each: each.name)
def test_a_mutant_fails_exactly_what_it_declares(matrix, mutant):
    result = matrix.results[mutant.name]

    assert difference(mutant, result) == ""
    assert result.conclusion != "suite at fault"


def test_every_mutant_states_its_bug():
    for mutant in all_mutants().values():
        assert re.fullmatch(r".+\.", mutant.sentence), mutant.name
        assert mutant.violates, mutant.name


def test_every_mutant_is_small():
    for path in Path(*mutants.__path__).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.body[0].lineno <= 10, node.name


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.name)
def test_each_check_finds_a_mutant_through_each_of_its_upstreams(matrix, check):
    for through in check.through:
        found = id_through(check.requirement.id, through)
        assert matrix.killers().get((found, check.name), []) != [], found


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.name)
def test_all_checks_of_a_requirement_go_through_the_same_upstreams(check):
    assert check.through == upstreams_of(check.requirement.id)


@pytest.mark.parametrize("expectation", expectations(), ids=str)
def test_without_an_expectation_some_mutant_survives(matrix, expectation):
    assert survivor_without(expectation, matrix.results.values())
