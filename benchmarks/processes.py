"""Servers as child processes on their own core, and their CPU time and memory."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
TICK = os.sysconf("SC_CLK_TCK")


FIRST_CORE, *OTHER_CORES = sorted(os.sched_getaffinity(0))

SERVERS_CORE = {FIRST_CORE}
"""The core of the measured servers."""

OUR_CORES = set(OTHER_CORES) or SERVERS_CORE
"""The cores of the load and the upstream."""


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str] = {}, on: set[int] | None = None
) -> Iterator[int]:
    """The pid of a child process on these cores; its output goes to a file that is shown when it dies."""
    log = Path(tempfile.mkstemp(prefix="benchmark-", suffix=".log")[1])
    with log.open("wb") as output, _staying_on(on):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process.pid
    except Exception as ex:
        ex.add_note(f"{command} said: {log.read_text()[-2000:]}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.unlink(missing_ok=True)


@contextmanager
def _staying_on(on: set[int] | None) -> Iterator[None]:
    """A child that is started meanwhile inherits these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, on or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wait_until_answering(url: str, pid: int, seconds: float = 60) -> None:
    """Any answer counts, whatever its status."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not _has_ended(pid):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
    raise TimeoutError(f"no server answers at {url}")


def _has_ended(pid: int) -> bool:
    """True if our child has ended. It is not reaped here."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def free_port() -> int:
    """A free port, so that two runs do not disturb each other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def family(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):  # just ended
                found += map(int, children.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time that the process and its children have used."""
    total = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_mb(pid: int) -> float:
    """Resident memory of the largest process of the family: of one worker."""
    return max(
        int(line.split()[1]) / 1024
        for each in family(pid)
        for line in Path(f"/proc/{each}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
