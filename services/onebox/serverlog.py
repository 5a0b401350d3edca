"""The server's log: kept small, and quoted when something went wrong."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import structlog

_BYTES = 8 << 20  # before it is moved aside; so it is two files of about that at most
_LOOK = 1.0  # seconds between two looks: a server writes much less than 8 MB in one
_LINES = 10


class ServerLog:
    """The log file of a running server.

    Args:
        path: The file; the server appends to it.
        clock: Monotonic seconds.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Look at the first opportunity."""
        self._path = path
        self._clock = clock
        self._look_at = clock()
        self._has_failed = False

    def tick(self) -> None:
        """Move the log aside if it is large; a full disk is warned of once and tried again."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK
        try:
            self._trim()
        except OSError as error:
            if not self._has_failed:
                reason = f"{error.strerror} ({error.filename})"
                structlog.get_logger().warning("log cannot be trimmed", reason=reason)
            self._has_failed = True
        else:
            self._has_failed = False

    def _trim(self) -> None:
        if self._path.exists() and self._path.stat().st_size > _BYTES:
            shutil.copyfile(self._path, self._path.with_name(self._path.name + ".1"))
            os.truncate(self._path, 0)  # the server appends to this very file


def last_words(log: Path) -> str:
    """Return the last lines of a log, which may be absent."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LINES:])
