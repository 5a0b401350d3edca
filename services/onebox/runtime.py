"""The runtime directory: PostgreSQL's socket, and its binaries where they had to be copied.

Law of this file: it is short, because the path of a socket ends at 107 bytes (unix(7)) and
projects lie deeper than that; it is ours alone, because everybody may write in /tmp; and its name
follows from the data directory, so a killed onebox leaves at most this one, for the next to clear.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.errors import EnvironmentFault
from onebox.account import Account
from onebox.binaries import Binaries

_LONGEST_SOCKET = 107  # bytes
_SOCKET_NAME = "/socket/.s.PGSQL.65535.lock"


@dataclass(frozen=True)
class RuntimeDirectory:
    """A runtime directory that exists and is empty."""

    path: Path

    @property
    def socket(self) -> Path:
        """The directory of PostgreSQL's socket, which belongs to PostgreSQL's account."""
        return self.path / "socket"

    def reachable(self, binaries: Binaries, account: Account | None) -> Binaries:
        """Return binaries that the account may run: these, or a copy if they lie out of reach.

        Under /root or in another private directory only a copy can be run by somebody else.
        """
        if account is None or account.may_reach(binaries.directory / "postgres"):
            return binaries
        return binaries.copied_to(self.path / "binaries")


@contextmanager
def make(
    data: Path, account: Account | None, places: tuple[str, ...] = ()
) -> Iterator[RuntimeDirectory]:
    """Make the runtime directory of the data directory ``data``; remove it at the end.

    Nobody else may be using ``data``: what an earlier run left is removed.

    Raises:
        EnvironmentFault: No place for temporary files will do.
    """
    digest = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    name = f"bellbuoy-{os.geteuid()}-{digest}"
    parent = _place(name, account, places or (tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108  # ours alone, see _claim
    runtime = RuntimeDirectory(parent / name)
    _claim(runtime.path, 0o711 if account else 0o700)
    try:
        runtime.socket.mkdir(mode=0o700)
        if account:
            os.chown(runtime.socket, account.uid, account.gid)
        yield runtime
    finally:
        shutil.rmtree(runtime.path, ignore_errors=True)


def _place(name: str, account: Account | None, places: tuple[str, ...]) -> Path:
    for place in map(Path, places):
        fits = len(os.fsencode(place / name)) + len(_SOCKET_NAME) <= _LONGEST_SOCKET
        if fits and os.access(place, os.W_OK | os.X_OK) and _is_usable(place, account):
            return place
    raise EnvironmentFault(
        f"no directory for PostgreSQL's socket: tried {', '.join(dict.fromkeys(places))}. Let "
        "TMPDIR name a writable directory with a short path"
    )


def _is_usable(place: Path, account: Account | None) -> bool:
    if account is None:
        return True
    runs_programs = not os.statvfs(place).f_flag & os.ST_NOEXEC
    return runs_programs and account.may_reach(place / "socket")


def _claim(path: Path, mode: int) -> None:
    """Make ``path`` anew; refuse one that somebody else put there first."""
    try:
        if path.is_symlink() or path.lstat().st_uid != os.geteuid():
            raise EnvironmentFault(f"{path} is in the way and not ours: remove it, or set TMPDIR")
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    path.mkdir(mode=0o700)
    path.chmod(mode)
