"""``process_*`` and ``python_*`` for each process of the container, told apart by a label.

The names and meanings are those of prometheus_client, which every dashboard knows. What the kernel
tells of a process anybody may ask; what its garbage collector did only it can tell, on the
scoreboard.
"""

import math
import os
import platform
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bellbuoy.host.textformat import Exported
from bellbuoy.metrics import Family, Kind, gauge
from bellbuoy.scoreboard import COLLECTOR
from bellbuoy.snapshot import Process, Series, Snapshot

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

# Positions in /proc/[pid]/stat after the name, which is in brackets and may hold anything: proc(5).
_UTIME, _STIME, _START, _VSIZE, _RSS = 11, 12, 19, 20, 21


def _of_process(name: str, kind: Kind, meaning: str, *more: str) -> Family:
    # Which processes there are shows at run time; the scoreboard's slots bound them.
    return Family(name, kind, meaning, dict.fromkeys(("process", *more), ()))


VIRTUAL = _of_process("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.")
RESIDENT = _of_process("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
START = _of_process(
    "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."
)
CPU = _of_process(
    "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."
)
OPEN_FILES = _of_process("process_open_fds", "gauge", "Number of open file descriptors.")
MOST_FILES = _of_process("process_max_fds", "gauge", "Maximum number of open file descriptors.")
KERNEL = (VIRTUAL, RESIDENT, START, CPU, OPEN_FILES, MOST_FILES)

COLLECTED = {
    what: _of_process(f"python_gc_{name}_total", "counter", meaning, "generation")
    for what, name, meaning in (
        ("collections", "collections", "Number of times this generation was collected"),
        ("collected", "objects_collected", "Objects collected during gc"),
        ("uncollectable", "objects_uncollectable", "Uncollectable objects found during GC"),
    )
}


def open_files(folder: str, stat: Callable[[str], os.stat_result] = os.stat) -> int:
    """Return how many files a process has open, which ``folder`` lists."""
    # Since Linux 6.2 the folder's size is their number, which costs nothing; before it is zero, and
    # to list ten thousand connections would take longer than all the rest.
    return stat(folder).st_size or len(os.listdir(folder))  # noqa: PTH208 - it counts


def _most_files(pid: int) -> int:
    soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    return soft


class ProcessMetrics:
    """Reads the processes of a snapshot; what it costs depends on their number alone.

    Args:
        most: Returns how many files a process may open, ``RLIM_INFINITY`` for any number.
    """

    def __init__(self, most: Callable[[int], int] = _most_files) -> None:
        """Ask once what does not change."""
        self._most = most
        self._booted = _booted()
        self._python = _python()

    def families(self, snapshot: Snapshot) -> Iterator[Exported]:
        """Yield every family."""
        yield self._python
        yield from self._kernel(snapshot)
        yield from _collector(snapshot)

    def _kernel(self, snapshot: Snapshot) -> Iterator[Exported]:
        found: dict[str, list[Series]] = {family.name: [] for family in KERNEL}
        for label, pid in _labelled(snapshot):
            # It died a moment ago, or is somebody else's: then there is no more to tell.
            with suppress(OSError):
                for family, value in self._read(pid):
                    found[family.name].append(Series((label,), (value,)))
        yield from ((family, found[family.name]) for family in KERNEL)

    def _read(self, pid: int) -> Iterator[tuple[Family, float]]:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - a Path costs as much as the file
            fields = stat.read().rpartition(b")")[2].split()
        yield VIRTUAL, float(fields[_VSIZE])
        yield RESIDENT, float(fields[_RSS]) * _PAGE
        yield START, self._booted + int(fields[_START]) / _TICKS
        yield CPU, (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS
        yield OPEN_FILES, float(open_files(f"/proc/{pid}/fd"))
        most = self._most(pid)
        yield MOST_FILES, math.inf if most == resource.RLIM_INFINITY else float(most)


def _booted() -> float:
    """Return the Unix time at which the kernel began to count."""
    lines = Path("/proc/stat").read_bytes().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(b"btime "))


def _python() -> Exported:
    major, minor, patch = platform.python_version_tuple()
    told = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patch,
    }
    allowed = {name: (value,) for name, value in told.items()}
    family = gauge("python_info", "Python platform information", labels=allowed)
    return family, (Series(tuple(told.values()), (1.0,)),)


def _collector(snapshot: Snapshot) -> Iterator[Exported]:
    found: dict[str, list[Series]] = {what: [] for what in COLLECTED}
    for label, process in _everybody(snapshot):
        for (what, generation), value in zip(COLLECTOR, process.collections, strict=True):
            found[what].append(Series((label, str(generation)), (value,)))
    yield from ((family, found[what]) for what, family in COLLECTED.items())


def _labelled(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    yield "supervisor", snapshot.supervisor
    for process in snapshot.processes:
        yield label(process), process.pid


def _everybody(snapshot: Snapshot) -> Iterator[tuple[str, Process]]:
    if snapshot.own is not None:
        yield "supervisor", snapshot.own
    for process in snapshot.processes:
        yield label(process), process


def label(process: Process) -> str:
    """Return what a process is called in the label ``process``."""
    return "admin" if process.admin else f"worker-{process.slot}"
