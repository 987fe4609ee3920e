"""How long something took."""

import time


def milliseconds_since(began: float) -> float:
    """`began`: of `time.monotonic()`."""
    return (time.monotonic() - began) * 1000
