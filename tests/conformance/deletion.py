"""Each assertion of the checks taken out once: some mutant that it found must then pass the check, or it proves nothing.

A check that lacks a statement is compiled from its own source, and put in the place of the check in one process.
"""

import ast
import inspect
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType

from matrix import AT_ONCE, Job, Result, play
from octomil_conformance.catalogue import all_checks
from octomil_conformance.requirement import requirement_of
from octomil_conformance.server.mutants import all_mutants

LOOKS_AT_OTHERS = ("HTTP-25",)
"""Judges what other checks have seen, so that they have to run too."""

ASSERTING = ("strict_json",)
"""Functions that raise instead of asserting."""


@dataclass(frozen=True)
class Assertion:
    path: str
    check: str
    requirement: str
    first: int
    """Line."""
    last: int

    @property
    def key(self) -> tuple[str, str]:
        return self.requirement, self.check.removeprefix("test_").replace("_", " ")

    def __str__(self) -> str:
        return f"{Path(self.path).name}:{self.first}-{self.check}"


@cache
def assertions() -> tuple[Assertion, ...]:
    return tuple(each for check in all_checks() for each in _assertions_of(check))


def survivors(
    results: dict[str, Result],
) -> Iterator[tuple[Assertion, str]]:
    """With each assertion a mutant that passes the check without it; empty when there is none."""
    jobs = [(each, _found_by(each, results)) for each in assertions()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, context) as pool:
        yield from zip(assertions(), pool.map(_survivor, jobs), strict=True)


def _found_by(assertion: Assertion, results: dict[str, Result]) -> list[str]:
    """The mutants at which it was this assertion that failed; the quick ones first."""
    lines = range(assertion.first, assertion.last + 1)
    found = {
        result.name: result.seconds
        for result in results.values()
        for cell in result.cells
        if (cell.requirement, cell.check) == assertion.key and cell.line in lines
    }
    return sorted(found, key=found.__getitem__)


def _survivor(job: tuple[Assertion, list[str]]) -> str:
    assertion, names = job
    check = next(
        each
        for each in all_checks()
        if each.__name__ == assertion.check
        and requirement_of(each).id == assertion.requirement
    )
    with without(check, assertion):
        for name in names:
            mutant = all_mutants()[name]
            alone = assertion.requirement not in LOOKS_AT_OTHERS
            only = frozenset([assertion.requirement] * alone)
            result = play(Job(name, mutant.claims, only))
            if assertion.key in result.passed and not result.problem:
                return name
    return ""


@contextmanager
def without(check: Callable[..., object], assertion: Assertion) -> Iterator[None]:
    whole = check.__code__
    check.__code__ = _code_without(assertion)
    try:
        yield
    finally:
        check.__code__ = whole


def _code_without(assertion: Assertion) -> CodeType:
    tree = ast.parse(Path(assertion.path).read_text("utf-8"))
    changed = ast.fix_missing_locations(_Removal(assertion).visit(tree))
    module = compile(changed, assertion.path, "exec")
    return next(
        code
        for code in module.co_consts
        if isinstance(code, CodeType) and code.co_name == assertion.check
    )


class _Removal(ast.NodeTransformer):
    def __init__(self, assertion: Assertion) -> None:
        self._assertion = assertion

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if _asserts(node) and node.lineno == self._assertion.first:
            return ast.copy_location(ast.Pass(), node)
        return super().generic_visit(node)


def _assertions_of(check: Callable[..., object]) -> Iterator[Assertion]:
    path = inspect.getsourcefile(check) or ""
    tree = ast.parse(Path(path).read_text("utf-8"))
    function = next(
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == check.__name__
    )
    for node in ast.walk(function):
        if _asserts(node):
            yield Assertion(
                path,
                check.__name__,
                requirement_of(check).id,
                node.lineno,
                node.end_lineno or node.lineno,
            )


def _asserts(node: ast.AST) -> bool:
    call = getattr(node, "value", None)
    name = getattr(getattr(call, "func", None), "id", "")
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.Expr) and name in ASSERTING
    )
