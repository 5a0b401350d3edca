"""What a process and its children cost, read from the kernel."""

from contextlib import suppress
from pathlib import Path


def tree(pid: int) -> list[int]:
    """Return ``pid`` and all its descendants."""
    found = [pid]
    with suppress(FileNotFoundError):  # it has just ended, as backends of PostgreSQL may
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in task.read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process tree, all threads, in seconds with nanosecond steps."""
    total = 0
    for each in tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{each}/task").glob("*/schedstat"):
                total += int(thread.read_text().split()[0])
    return total / 1e9


def proportional_memory(pid: int) -> int:
    """Return the memory of a process tree in bytes, shared pages divided among their users."""
    total = 0
    for each in tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
