"""A real PgBouncer in transaction mode, for the tests that go through it."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onebox import ports, roles
from onebox.waiting import wait_until
from tests.postgres import Database

_SECONDS = 15.0


def require() -> None:
    """Skip where there is no PgBouncer, and fail there in CI, which installs one."""
    if shutil.which("pgbouncer") is None:
        message = "pgbouncer is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@contextmanager
def pgbouncer(database: Database, folder: Path, *, sessions: int = 2) -> Iterator[tuple[str, int]]:
    """Run one in front of ``database``; yield its address.

    Args:
        database: The database behind it.
        folder: Where its files may lie.
        sessions: Server sessions that all its clients share.
    """
    host, port = "127.0.0.1", ports.free("127.0.0.1")[0]
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    password = database.password_file(roles.APP).read_text().strip()
    users.write_text(f'"{roles.APP}" "{password}"\n')
    config.write_text(
        f"""
[databases]
{database.name} = host={host} port={database.port}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 100
server_login_retry = 1
"""
    )
    command = ["pgbouncer", "--quiet", str(config)]
    if os.getuid() == 0:
        # It refuses to run as root, and gives that up only after it has read its files.
        _open_up(folder)
        command[1:1] = ["--user", "nobody"]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), timeout=_SECONDS)
        assert process.poll() is None
        yield host, port
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _open_up(folder: Path) -> None:
    """Let another user read what lies in a test's folder."""
    for each in folder.iterdir():
        if each.is_file():
            each.chmod(0o644)
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
