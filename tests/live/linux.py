"""What only Linux tells: whose a connection is, what a process uses."""

import os
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread just ended
            found += map(int, children.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Of a process and its children, so far."""
    return sum(_ticks(each) for each in family(pid)) / os.sysconf("SC_CLK_TCK")


def holder_of(server_port: int, client_port: int, pids: list[int]) -> int:
    """Which of these processes has the server's end of this connection."""
    inode = _inode(server_port, client_port)
    [holder] = [pid for pid in pids if f"socket:[{inode}]" in _open_files(pid)]
    return holder


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _inode(local_port: int, remote_port: int) -> str:
    ends = (f":{local_port:04X}", f":{remote_port:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
            return fields[9]
    raise LookupError("no such connection")


def _open_files(pid: int) -> set[str]:
    """What its descriptors lead to. It may open and close others meanwhile."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(descriptor))
    return found
