"""A unix socket's file: made by the supervisor, removed by the supervisor, and by nobody else."""

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.errors import EnvironmentFault

PREFIX = "unix:"
"""What a host begins with that is a path."""

MODE = 0o660
"""Owner and group may connect. The folder's own mode may narrow that down further."""


def bind(path: Path, backlog: int) -> socket.socket:
    """Return a socket that listens at ``path``; what a dead process left there is replaced.

    Raises:
        EnvironmentFault: Somebody listens there, something else stands there, or it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        # The mode must be right from the first moment; nothing else runs while we start.
        mask = os.umask(0o777 & ~MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(backlog)
    except (OSError, EnvironmentFault) as error:
        listener.close()
        if isinstance(error, EnvironmentFault):
            raise
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise EnvironmentFault(f"cannot listen on {path}: {reason}") from error
    return listener


@dataclass(frozen=True)
class SocketFile:
    """The file as it was when it was made.

    Args:
        path: Where it stands.
        stamp: Inode and birth; they tell it from one that a successor made in the same place.
    """

    path: Path
    stamp: tuple[int, int]

    @classmethod
    def of(cls, listener: socket.socket) -> "SocketFile | None":
        """Return the file of a listener, or ``None`` when it has none."""
        if listener.family != socket.AF_UNIX:
            return None
        path = Path(listener.getsockname())
        return cls(path, _stamp(path))

    def remove(self) -> None:
        """Remove it, unless it is another one's by now; idempotent."""
        try:
            if _stamp(self.path) == self.stamp:
                self.path.unlink()
        except FileNotFoundError:
            pass


def _stamp(path: Path) -> tuple[int, int]:
    # An inode's number may be given again; nobody writes into a socket's file.
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _clear(path: Path) -> None:
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise EnvironmentFault(f"cannot listen on {path}: it is there already and no socket")
    if _is_live(path):
        raise EnvironmentFault(
            f"cannot listen on {path}: {os.strerror(errno.EADDRINUSE)}; BUOY_HOST chooses another"
        )
    path.unlink()


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A listener whose queue is full is alive; it must not keep us waiting.
        probe.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return probe.connect_ex(str(path)) != errno.ECONNREFUSED
