"""The account PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.errors import EnvironmentFault

_UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Account:
    """A user that is not us."""

    uid: int
    gid: int

    def may_reach(self, path: Path) -> bool:
        """Return whether this account may walk down to ``path``; access lists are not read."""
        path = path.resolve()
        return all(self._may_search(parent.stat()) for parent in path.parents)

    def _may_search(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def choose(data: Path) -> Account | None:
    """Return whom PostgreSQL runs as; ``None`` means as ourselves.

    Root owns up to being root only here: the existing data's owner, or else ``nobody``, which
    every system has, so no user is created and no mode of a directory above is changed.

    Args:
        data: PostgreSQL's data directory, which need not exist yet.

    Raises:
        EnvironmentFault: This user cannot run PostgreSQL on this directory.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() == 0:
        if owner and owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        return _unprivileged()
    if owner and owner.st_uid != os.geteuid():
        raise EnvironmentFault(
            f"{data} belongs to {_name(owner.st_uid)}, not to {_name(os.geteuid())}: start as that "
            "user (or as root, if root made it), or choose another BUOY_DATA_DIR"
        )
    if not owner:
        _require_entry(os.geteuid())
    return None


def _unprivileged() -> Account:
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as error:
        raise EnvironmentFault(
            f"PostgreSQL refuses to run as root and there is no user {_UNPRIVILEGED!r} to run it "
            "as: start as an ordinary user"
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)


def _require_entry(uid: int) -> None:
    """Return if initdb will find the name of its user; in containers it often has none."""
    try:
        pwd.getpwuid(uid)
    except KeyError as error:
        raise EnvironmentFault(
            f"user number {uid} has no entry in /etc/passwd, which PostgreSQL's initdb needs: add "
            f"one (echo 'bellbuoy:x:{uid}:{os.getegid()}::/:/bin/false' >> /etc/passwd) or start "
            "as a user that has one"
        ) from error


def _name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name!r}"
    except KeyError:
        return f"user number {uid}"
