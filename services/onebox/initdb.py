"""Initdb: a new cluster, complete or not there at all.

Law of this file: the data directory gets its name last, so a start that was killed here leaves
only a draft, which the next one clears.
"""

import os
import shutil
import signal
from pathlib import Path

from bellbuoy.errors import EnvironmentFault
from onebox import secret
from onebox.account import Account
from onebox.installation import Installation
from onebox.process import complete
from onebox.serverlog import last_words
from onebox.waiting import Watch, nothing

SUPERUSER = "postgres"

_BUILTIN_LOCALES = 17  # the first major whose locales do not come from the operating system
_SECONDS = 180.0  # 0.5 s on a local disk; it writes 40 MB and syncs, slow on a network one


def create(  # each is a fact of the new cluster
    data: Path,
    *,
    installation: Installation,
    password: str,
    scratch: Path,
    log: Path,
    sync: bool = True,
    watch: Watch = nothing,
) -> None:
    """Make the data directory ``data``, whose parent exists.

    Args:
        data: The new directory.
        installation: Which PostgreSQL, and to whom the directory belongs.
        password: The superuser's.
        scratch: A directory that the account may reach, for the password.
        log: Where initdb writes to.
        sync: Make it survive a power cut at once.
        watch: Called while waiting; what it raises ends initdb.

    Raises:
        EnvironmentFault: initdb failed; the message holds what it said.
    """
    draft = draft_of(data)
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    _give(draft, installation.account)
    file = scratch / "superuser.password"
    secret.write(file, password)
    _give(file, installation.account)
    try:
        _run(draft, installation, file, log, sync=sync, watch=watch)
    except BaseException:
        shutil.rmtree(draft)
        raise
    finally:
        file.unlink()
    draft.rename(data)
    _sync_directory(data.parent)


def draft_of(data: Path) -> Path:
    """Return what a data directory is called until it is complete."""
    return data.with_name(data.name + ".initialising")


def _run(  # as above
    draft: Path, installation: Installation, password: Path, log: Path, *, sync: bool, watch: Watch
) -> None:
    arguments = [
        f"--username={SUPERUSER}",
        f"--pwfile={password}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--data-checksums",
        "--no-instructions",
    ]
    if installation.binaries.major >= _BUILTIN_LOCALES:
        arguments.append("--locale-provider=builtin")
    if not sync:
        arguments.append("--no-sync")
    # Killed, not asked: it would remove what it made, beside whoever starts next.
    command = installation.command("initdb", draft, arguments, signal.SIGKILL)
    with log.open("ab") as output:
        status = complete(command, timeout=_SECONDS, watch=watch, output=output)
    if status:
        raise EnvironmentFault(f"initdb failed ({status}):\n{last_words(log)}")


def _give(path: Path, account: Account | None) -> None:
    if account:
        os.chown(path, account.uid, account.gid)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
