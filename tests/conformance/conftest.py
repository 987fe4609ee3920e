import pytest
from jobs import conformant_jobs, mutant_jobs
from kill_matrix import Matrix, Result, is_surprise, played
from octomil_conformance.server.mutants import all_mutants
from proofs import expectations, proven, survivor_without

COUNTS = pytest.StashKey[dict[str, object]]()


@pytest.fixture(scope="session")
def everything(request) -> Matrix:
    """All runs that the tests of this session need, played together: while some wait, others use the processor."""
    needed = {name for item in request.session.items for name in item.fixturenames}
    jobs = conformant_jobs() if "good" in needed else []
    jobs += mutant_jobs() if "matrix" in needed else []
    return played(jobs, is_surprise)


@pytest.fixture(scope="session")
def good(everything, counts) -> dict[str, Result]:
    """The results of conformant servers in all checks."""
    good = everything.of({each.name for each in conformant_jobs()})
    counts["conformant servers"] = len(good.results)
    counts["conformant servers played again"] = ", ".join(good.again) or "none"
    return good.results


@pytest.fixture(scope="session")
def matrix(everything, counts) -> Matrix:
    """The results of each mutant in the checks of the requirements that it violates."""
    matrix = proven(everything.of(all_mutants()))
    killed = [each for each in matrix.results.values() if not is_surprise(each)]
    share = f"{len(killed)} of {len(matrix.results)}"
    counts["mutants"] = f"{share} killed, in {matrix.seconds:.0f} s"
    counts["mutants played again"] = ", ".join(matrix.again) or "none"
    results = matrix.results.values()
    proofs = [survivor_without(each, results) for each in expectations()]
    counts["expectations proven"] = f"{sum(map(bool, proofs))} of {len(proofs)}"
    return matrix


@pytest.fixture(scope="session")
def counts(pytestconfig) -> dict[str, object]:
    """Tests add figures here, which are printed at the end of the run."""
    return pytestconfig.stash.setdefault(COUNTS, {})


def pytest_terminal_summary(terminalreporter, config):
    counts = config.stash.get(COUNTS, {})
    if counts:
        terminalreporter.section("proof that the checks check")
    for name, value in counts.items():
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
