"""Good servers pass, each mutant fails by exactly what it declares, and each check finds some mutant."""

import pytest
from kill_matrix import difference
from matrix import ONE_UPSTREAM, Job, results
from octomil_conformance.catalogue import all_checks
from octomil_conformance.requirement import requirement_of
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.variants import ALL, all_variants


@pytest.fixture(scope="module")
def good(counts):
    jobs = [Job(each.name, each.claims) for each in all_variants().values()]
    jobs += [Job("served", ALL), Job(ONE_UPSTREAM, {"infer": 2})]
    again = []
    found = results(jobs, lambda result: result.conclusion == "not conformant", again)
    counts["good servers played again"] = ", ".join(again) or "none"
    return found


def test_a_server_that_knows_one_upstream_is_not_judged_by_two(good):
    assert good[ONE_UPSTREAM].conclusion == "could not test"
    assert {cell.outcome for cell in good[ONE_UPSTREAM].cells} == {"untestable"}


def test_a_server_that_refuses_a_good_token_is_judged_though_it_calls_no_backend():
    name = "bearer_tokens_are_ignored"
    job = Job(name, {"embed": 2, "auth": 1}, frozenset({"AUTH-01"}))

    result = results([job], lambda result: bool(result.problem), [])[name]

    assert (result.problem, result.found) == ("", {"AUTH-01"})


@pytest.mark.parametrize("name", ["served", *all_variants()])
def test_a_conformant_server_passes_everything(good, name):
    assert good[name].conclusion == "conformant", good[name]
    assert good[name].cells == (), good[name]


@pytest.mark.parametrize("mutant", all_mutants().values(), ids=lambda each: each.name)
def test_a_mutant_fails_exactly_what_it_declares(matrix, mutant):
    result = matrix.results[mutant.name]

    assert difference(mutant, result) == ""
    assert result.conclusion != "suite at fault"


@pytest.mark.parametrize("mutant", all_mutants().values(), ids=lambda each: each.name)
def test_a_mutant_is_small_and_says_its_bug(mutant):
    assert mutant.bug.endswith(".") and mutant.bug.count("\n") == 0
    assert mutant.lines <= 10
    assert mutant.violates


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.__name__)
def test_each_check_finds_a_mutant(matrix, check):
    words = check.__name__.removeprefix("test_").replace("_", " ")

    assert matrix.killers().get((requirement_of(check).id, words), []) != []
