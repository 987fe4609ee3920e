"""The proof that every expectation of every check matters: without it, some mutant would pass."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from jobs import mutant_jobs
from kill_matrix import Cell, Matrix, Result, played
from octomil_conformance import runner
from octomil_conformance.requirement import Check


@dataclass(frozen=True)
class Expectation:
    check: Check
    lines: range

    def __str__(self) -> str:
        return f"{self.check.requirement.id}-{self.check.name}-{self.lines.start}"


@cache
def expectations() -> tuple[Expectation, ...]:
    return tuple(
        Expectation(check, lines)
        for check in runner.all_checks()
        for lines in _expecting(check)
    )


def survivor_without(
    expectation: Expectation, results: Iterable[Result]
) -> Result | None:
    """A mutant that would pass the check if the expectation were deleted: nothing else in the check finds it.

    A run looks at all expectations of a check, so that the first one that fails does not hide the others.
    """
    check = expectation.check
    for result in results:
        cells = [cell for cell in result.cells if _found_by(check, cell)]
        if cells and all(cell.lines <= {*expectation.lines} for cell in cells):
            return result
    return None


def _found_by(check: Check, cell: Cell) -> bool:
    return (cell.requirement, cell.check) == (check.requirement.id, check.name)


def proven(matrix: Matrix) -> Matrix:
    """Repeats alone what finds a check with an unproven expectation: on a busy machine, a late answer adds a finding."""
    results = matrix.results.values()
    open_ones = [each for each in expectations() if not survivor_without(each, results)]
    checks = {(each.check.requirement.id, each.check.name) for each in open_ones}
    again = {
        result.name
        for result in results
        if checks & {(cell.requirement, cell.check) for cell in result.cells}
    }
    jobs = [job for job in mutant_jobs() if job.name in again]
    alone = played(jobs, lambda result: False, at_once=1)
    return replace(
        matrix,
        results=matrix.results | alone.results,
        again=[*matrix.again, *again],
    )


def _expecting(check: Check) -> Iterator[range]:
    """The lines of each expectation."""
    source, start = inspect.getsourcelines(check.function)
    for node in ast.walk(ast.parse(textwrap.dedent("".join(source)))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "expect":
            yield range(start + node.lineno - 1, start + node.end_lineno)
