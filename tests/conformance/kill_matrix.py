"""Which check finds which mutant.

python tests/conformance/kill_matrix.py             each mutant against its own claim, with every finding
python tests/conformance/kill_matrix.py --full      against everything that the reference claims
python tests/conformance/kill_matrix.py NAME...     some of them
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from matrix import Job, Result, results
from octomil_conformance.server.mutants import Mutant, all_mutants
from octomil_conformance.server.variants import ALL

SLOW = ("infer_is_accepted", "embed_is_accepted", "buffers_stream", "no_timeout", "health_always_ok", "bad_news_takes_its_time", "outages_take_their_time")  # fmt: skip
"""Begun first, for the others to run beside them."""


def difference(mutant: Mutant, result: Result) -> str:
    """Empty when exactly that was found which the mutant declares."""
    missed = sorted(mutant.violates - result.found)
    more = sorted(result.found - mutant.violates)
    wrong = [f"not found: {', '.join(missed)}"] * bool(missed)
    wrong += [f"found too: {', '.join(more)}"] * bool(more)
    wrong += [result.problem] * bool(result.problem)
    return "\n".join(wrong and [*wrong, str(result)])


def missing(mutant: Mutant, result: Result) -> str:
    """Empty when what the mutant declares was found, whatever else was."""
    missed = sorted(mutant.violates - result.found)
    return "\n".join(missed and [f"not found: {', '.join(missed)}", result.problem])


@dataclass(frozen=True)
class Matrix:
    results: dict[str, Result]
    seconds: float
    again: list[str]
    """Played twice, as the first time surprised."""

    @classmethod
    def of_own_claims(cls, mutants: Iterable[Mutant]) -> "Matrix":
        return cls.of([Job(each.name, each.claims) for each in mutants])

    @classmethod
    def of(
        cls, jobs: list[Job], wrong: Callable[[Mutant, Result], str] = difference
    ) -> "Matrix":
        """`wrong` says what is not as it should be, empty when nothing is."""
        began = time.monotonic()
        jobs = sorted(jobs, key=lambda job: job.name not in SLOW)
        again: list[str] = []
        found = results(jobs, lambda each: wrong(all_mutants()[each.name], each) != "", again)  # fmt: skip
        return cls(found, time.monotonic() - began, again)

    def killers(self) -> dict[tuple[str, str], list[str]]:
        """(requirement, check) to the mutants that it finds."""
        found: dict[tuple[str, str], list[str]] = {}
        for result in self.results.values():
            for key in {(cell.requirement, cell.check) for cell in result.cells}:
                found.setdefault(key, []).append(result.name)
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--full", action="store_true", help="everything against everything")  # fmt: skip
    given = parser.parse_args()
    every = all_mutants()
    names = given.names or list(every)
    jobs = [Job(name, ALL if given.full else every[name].claims) for name in names]  # fmt: skip
    said_of = missing if given.full else difference
    matrix = Matrix.of(jobs, said_of)
    wrong = 0
    for name in names:
        mutant, result = all_mutants()[name], matrix.results[name]
        said = said_of(mutant, result)
        wrong += bool(said)
        print(f"{'WRONG' if said else 'killed'} {name} {result.seconds:.1f} s: {mutant.bug}")  # fmt: skip
        print(f"  {', '.join(sorted(result.found))}\n{said}")
    print(f"{len(names)} mutants, {wrong} not as declared, {matrix.seconds:.0f} s")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
