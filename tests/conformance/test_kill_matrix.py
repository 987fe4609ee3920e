"""Good servers pass, each mutant fails by exactly what it declares, and each check finds some mutant."""

import pytest
from kill_matrix import Matrix, difference, served
from matrix import Job, results
from octomil_conformance.catalogue import all_checks
from octomil_conformance.requirement import requirement_of
from octomil_conformance.server.faults import FAULTS
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.variants import ALL, all_variants

NOT_IN_THE_MATRIX = {
    "batch_completion_order": "what else it breaks is a matter of luck: results_are_backwards instead",
    "batch_runs_before_validation": "it stumbles over inputs that fail: good_inputs_run_first instead",
    "gives_up_after_failure": "what comes after the first failure is a matter of luck: failures_are_kept instead",
    "mixes_streams": "who gets whose token is a matter of luck: answers_are_kept_by_beginning instead",
    "no_fallback": "where one dialect is never called its checks cannot run, and the run says so",
}
"""Faults, and why no mutant is made of them."""


@pytest.fixture(scope="module")
def good(counts):
    jobs = [Job(each.name, each.claims) for each in all_variants().values()]
    jobs += [
        Job("reference", ALL),
        Job("served", ALL, served=True),
        Job("no_fallback", {"infer": 2}),
    ]
    again = []
    found = results(jobs, lambda result: result.conclusion == "not conformant", again)
    counts["good servers played again"] = ", ".join(again) or "none"
    return found


def test_each_fault_is_played_or_has_a_reason():
    played = {each.name for each in all_mutants().values() if each.layer is None}

    assert played | NOT_IN_THE_MATRIX.keys() == FAULTS.keys()
    assert played.isdisjoint(NOT_IN_THE_MATRIX)


def test_a_server_that_knows_one_upstream_is_not_judged_by_two(good):
    assert good["no_fallback"].conclusion == "could not test"
    assert {cell.outcome for cell in good["no_fallback"].cells} == {"untestable"}


def test_a_server_that_refuses_a_good_token_is_judged_though_it_calls_no_backend():
    name = "bearer_tokens_are_ignored"
    job = Job(name, {"infer": 2, "auth": 1}, frozenset({"AUTH-01"}))

    result = results([job], lambda result: bool(result.problem), [])[name]

    assert (result.problem, result.found) == ("", {"AUTH-01"})


@pytest.mark.parametrize("name", ["reference", "served"])
def test_a_good_server_passes_everything(good, name):
    assert good[name].conclusion == "conformant", good[name]
    assert good[name].cells == (), good[name]


@pytest.mark.parametrize("name", all_variants())
def test_a_variant_passes_everything(good, name):
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


WITHOUT_FAULTS = [each for each in served().values() if max(each.claims.values()) < 2]
"""Judged without an upstream's doing. As for the others, kill_matrix.py --served plays them, and the SDK reads them."""


@pytest.fixture(scope="module")
def served_matrix(counts):
    matrix = Matrix.of_own_claims(WITHOUT_FAULTS, served=True)
    counts["mutants served"] = f"{len(matrix.results)} in {matrix.seconds:.0f} s"
    return matrix


@pytest.mark.parametrize("mutant", WITHOUT_FAULTS, ids=lambda each: each.name)
def test_a_mutant_that_is_served_fails_exactly_what_it_declares(served_matrix, mutant):
    assert difference(mutant, served_matrix.results[mutant.name]) == ""


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.__name__)
def test_each_check_finds_a_mutant(matrix, check):
    words = check.__name__.removeprefix("test_").replace("_", " ")

    assert matrix.killers().get((requirement_of(check).id, words), []) != []
