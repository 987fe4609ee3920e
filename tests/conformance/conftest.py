import importlib.util

import pytest
from kill_matrix import Matrix
from octomil_conformance.server.mutants import all_mutants

COUNTS = pytest.StashKey[dict[str, object]]()


@pytest.fixture(scope="session")
def matrix(counts) -> Matrix:
    """Every mutant against its own claim, once for all tests that look at it."""
    matrix = Matrix.of_own_claims(all_mutants().values())
    counts["mutants played"] = f"{len(matrix.results)} in {matrix.seconds:.0f} s"
    counts["mutants played again"] = ", ".join(matrix.again) or "none"
    return matrix


@pytest.fixture(scope="session")
def counts(pytestconfig) -> dict[str, object]:
    """What is written here is printed at the end."""
    return pytestconfig.stash.setdefault(COUNTS, {})


def pytest_terminal_summary(terminalreporter, config):
    counts = config.stash.get(COUNTS, {})
    if counts:
        terminalreporter.section("proof that the checks check")
    for name, value in counts.items():
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(params=["pytest", "jsonschema"])
def without_the_extra(request, monkeypatch):
    """As if one of its packages were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == request.param else found(name),
    )


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
