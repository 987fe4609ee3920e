"""No assertion of a check is idle: without it, some mutant passes."""

import pytest
from deletion import assertions, survivors


@pytest.fixture(scope="module")
def survived(matrix, counts):
    found = dict(survivors(matrix.results))
    counts["assertions proven"] = f"{sum(map(bool, found.values()))} of {len(found)}"
    return found


@pytest.mark.parametrize("assertion", assertions(), ids=str)
def test_without_an_assertion_some_mutant_survives(survived, assertion):
    assert survived[assertion] != ""
