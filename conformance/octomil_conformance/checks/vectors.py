"""Two questions about vectors, answered for whatever a server sent."""

from collections.abc import Sequence
from typing import Any

from octomil_conformance.exchange import is_number, items


def likeness(one: Any, two: Any) -> float:
    """The cosine of the angle between them; -1 where there is none."""
    pairs = [*zip(_numbers(one), _numbers(two))]
    product = sum(a * b for a, b in pairs)
    lengths = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return product / lengths**0.5 if lengths else -1.0


def difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest of any two numbers in the same place."""
    numbers = [[*map(_numbers, each)] for each in (found, wanted)]
    return max(
        (abs(a - b) for one, two in zip(*numbers) for a, b in zip(one, two)),
        default=float("inf"),
    )


def _numbers(vector: Any) -> list[float]:
    values = [*vector] if isinstance(vector, tuple) else items(vector)
    return [float(value) for value in values if is_number(value)]
