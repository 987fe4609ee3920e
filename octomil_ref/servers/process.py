"""What a serving process does once, before its first request: take a core, settle its memory."""

import gc
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

STAT = Path("/proc/self/stat")
CORE = 36
"""Which of its fields behind the process's name tells the core (proc_pid_stat(5))."""


def free_core(taken: Sequence[int | None] = ()) -> int | None:
    """A core on which the fewest of the others sit. None where the system does not tell.

    Of several it is the one on which this process runs: there the system has put it, which knows what else is to be done on
    each core. On a core that others keep busy a server waits for seconds, while its neighbour idles.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    own = _core_of_this_process()
    return min(cores, key=lambda core: (taken.count(core), core != own))


def _core_of_this_process() -> int | None:
    with suppress(OSError):
        return int(STAT.read_text().rpartition(")")[2].split()[CORE])
    return None


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
