"""Leftovers: what lives on of a session whose leader died.

Workers leave by themselves when their supervisor is gone, within two seconds; one that is blocked
or stopped does not, and holds the service's port for ever.

Law of this file: only what was found in the session just after its leader died is ever killed,
and only while it is the same process, number and start time, in the same session. A session's
number is not given to anybody else while a process is in it (the kernel's struct pid is in use).
"""

import contextlib
import os
from collections.abc import Sequence

import psutil
import structlog

GRACE = 3.0
"""Seconds for leaving by oneself."""


class Leftovers:
    """The processes that a dead leader left in its session.

    Args:
        session: The leader's process number; it was just reaped.
        now: Monotonic seconds.
    """

    def __init__(self, session: int, now: float) -> None:
        """Find them."""
        self._session = session
        self._kill_at = now + GRACE
        self._processes = [
            process for process in _processes_of(session) if _is_there(process, session)
        ]

    def are_gone(self, now: float) -> bool:
        """Return whether none is left; who had its time is killed."""
        self._processes = [
            process for process in self._processes if _is_there(process, self._session)
        ]
        if now >= self._kill_at:
            for process in self._processes:
                _kill(process)
        return not self._processes


def _processes_of(session: int) -> Sequence[psutil.Process]:
    found = []
    for number in psutil.pids():
        # It may end while we look.
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(number) == session:
                found.append(psutil.Process(number))
    return found


def _is_there(process: psutil.Process, session: int) -> bool:
    try:
        # is_running compares the start time as well.
        return (
            process.is_running()
            and os.getsid(process.pid) == session
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


def _kill(process: psutil.Process) -> None:
    structlog.get_logger().warning("leftover killed", pid=process.pid)
    with contextlib.suppress(psutil.Error):
        process.kill()  # psutil compares the start time once more
