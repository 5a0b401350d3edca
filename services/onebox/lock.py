"""The lock of a data directory: one onebox at a time, and it says who.

Law of this file: the kernel's lock decides, the text in the file only explains. The kernel frees
the lock of a killed holder; the text stays behind and so tells that the holder did not end by
itself.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bellbuoy.errors import EnvironmentFault


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    Args:
        was_abandoned: The holder before us was killed, so its children may linger for a moment.
    """

    was_abandoned: bool


@contextmanager
def hold(path: Path, now: datetime | None = None) -> Iterator[Lock]:
    """Hold the lock file ``path`` for as long as the context is open.

    Raises:
        EnvironmentFault: Somebody else holds it.
    """
    descriptor = _locked(path)
    try:
        previous = _read(descriptor)
        since = (now or datetime.now(UTC)).isoformat(" ", "seconds")
        _write(descriptor, f"process {os.getpid()} since {since}")
        try:
            yield Lock(was_abandoned=bool(previous))
        finally:
            _write(descriptor, "")
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Return a descriptor that holds the lock of the very file that is called ``path``."""
    while True:
        # Not inherited by children (PEP 446), so the lock ends with this process, not with theirs.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_called(descriptor, path):
                return descriptor
        except BaseException as error:
            holder = _read(descriptor)
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise EnvironmentFault(_held(path, holder)) from error
            raise
        # Its holder, a `make reset`, removed it between our two calls: it keeps nobody out.
        os.close(descriptor)


def _is_called(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _held(path: Path, holder: str) -> str:
    return (
        f"{path.parent} is in use by {holder or 'another process that just started'}.\n"
        "It goes on undisturbed. End it first (Ctrl-C in its terminal), or give this one a "
        "directory and ports of its own: BUOY_DATA_DIR, BUOY_ECHO_PORT, BUOY_ECHO_ADMIN_PORT, "
        "BUOY_API_PORT, BUOY_API_ADMIN_PORT."
    )


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode(errors="replace")


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
