"""What a serving process does once, before its first request: take a core, settle its memory."""

import gc
import os
from collections.abc import Sequence


def free_core(taken: Sequence[int | None] = ()) -> int | None:
    """A core on which the fewest of the others sit. None where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(cores)  # two servers on one machine begin elsewhere
    return min(cores[first:] + cores[:first], key=taken.count)


def stay_on(core: int | None) -> None:
    """This thread, and those it starts from now on, run on `core` alone; None: anywhere.

    Python lets one thread at a time run. To hand that right over from core to core takes so long that a process of many
    threads has half the speed, or less, on two cores that it has on one.
    """
    if core is not None:
        os.sched_setaffinity(0, {core})


def settle_memory() -> None:
    """What was made so far stays: a full garbage collection, which halts every stream, need not look at it again.

    It then takes a tenth of a millisecond, and not ten.
    """
    gc.collect()
    gc.freeze()
