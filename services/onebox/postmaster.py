"""postmaster.pid: what the server says of itself, and whether that still holds.

PostgreSQL believes its lock file while a process of that number exists. That is wrong after
``kill -9`` where nothing reaps zombies (many containers), and where the number was given to
somebody else since. Removing the file would be wrong too: it is what keeps two servers apart.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from bellbuoy.errors import EnvironmentFault
from onebox.waiting import Watch, nothing, wait_until

_EVICTION_SECONDS = 10.0  # for each of three ways to ask

_READY = "ready"
_STATUS_LINE = 7
_START_LINE = 2
# Seconds between the server's own clock and the kernel's account of its start.
_START_TOLERANCE = 5.0


@dataclass(frozen=True)
class Postmaster:
    """What postmaster.pid says.

    Args:
        pid: The server's process number.
        started: Its start, seconds since the epoch.
        is_ready: It accepts connections.
    """

    pid: int
    started: float
    is_ready: bool

    def is_alive(self, data: Path) -> bool:
        """Return whether this is a living server on the directory ``data``."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
                return False
            return self._is_on(process, data)
        except psutil.NoSuchProcess:  # also a zombie, to psutil
            return False

    def _is_on(self, process: psutil.Process, data: Path) -> bool:
        try:
            return Path(process.cwd()) == data.resolve()  # a server lives in its directory
        except psutil.AccessDenied:
            # Root without CAP_SYS_PTRACE (Docker's default) may not see where others live.
            return abs(process.create_time() - self.started) < _START_TOLERANCE

    @property
    def blocks(self) -> bool:
        """Whether PostgreSQL would take this number for a living server."""
        return psutil.pid_exists(self.pid)


def read(data: Path) -> Postmaster | None:
    """Return what postmaster.pid in ``data`` says; ``None`` if it is absent or half written."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
        return Postmaster(int(lines[0]), float(lines[_START_LINE]), status == _READY)
    except (FileNotFoundError, IndexError, ValueError):
        return None


def evict(data: Path, watch: Watch = nothing) -> None:
    """See a server whose owner was killed off the directory: it is stopping already.

    Args:
        data: A data directory that we hold, so no living owner minds.
        watch: Called while waiting; what it raises ends the wait.

    Raises:
        EnvironmentFault: The server stays, though asked twice more.
    """
    for number in (None, signal.SIGINT, signal.SIGQUIT):
        server = read(data)
        if server is None or not server.is_alive(data):
            return
        if number:
            os.kill(server.pid, number)
        if wait_until(lambda: not _is_served(data), timeout=_EVICTION_SECONDS, watch=watch):
            return
    raise EnvironmentFault(
        f"an earlier PostgreSQL still runs on {data} and does not stop: end the process whose "
        "number is the first line of postmaster.pid there (kill -QUIT), and start again"
    )


def _is_served(data: Path) -> bool:
    server = read(data)
    return server is not None and server.is_alive(data)
