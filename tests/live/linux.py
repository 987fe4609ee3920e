"""Facts from Linux's /proc: the children of a process, and which process has a connection."""

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


def holder_of(server_port: int, client_port: int, pids: list[int]) -> int:
    """The process, of these, that has the server's end of this connection."""
    inode = _inode(server_port, client_port)
    [holder] = [pid for pid in pids if f"socket:[{inode}]" in _open_files(pid)]
    return holder


def _inode(local_port: int, remote_port: int) -> str:
    ends = (f":{local_port:04X}", f":{remote_port:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(ends[0]) and fields[2].endswith(ends[1]):
            return fields[9]
    raise LookupError("no such connection")


def _open_files(pid: int) -> set[str]:
    """The targets of the process's descriptors. It may open and close descriptors meanwhile."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(descriptor))
    return found
