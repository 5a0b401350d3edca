"""Usage: how much processor and memory a process takes, as the kernel counts it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

# Positions in /proc/[pid]/stat after the name, which is in brackets and may hold anything: proc(5).
_UTIME, _STIME, _START, _RSS = 11, 12, 19, 21


@dataclass(frozen=True)
class Usage:
    """One process at one moment.

    Args:
        cpu_seconds: Processor time it has taken.
        memory: Bytes of its resident memory.
        age: Seconds since its start.
    """

    cpu_seconds: float
    memory: int
    age: float


def usage(pid: int, proc: Path = Path("/proc")) -> Usage | None:
    """Return what a process uses; ``None`` when there is none any more."""
    try:
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Usage(
        cpu_seconds=(int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS,
        memory=int(fields[_RSS]) * _PAGE,
        age=max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START]) / _TICKS),
    )
