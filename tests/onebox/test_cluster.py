"""A cluster: real PostgreSQL, started, killed, and started again."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import runtime
from tests.onebox.running import eventually
from tests.postgres import Server, own_postgres, postgres, serve

__all__ = ["own_postgres", "postgres"]

pytestmark = pytest.mark.slow


def test_it_speaks_utf8_checks_its_pages_and_asks_for_passwords(postgres: Server) -> None:
    """Whatever the machine's locale is."""
    shown = [
        postgres.psql(f"SHOW {name}")
        for name in ("server_encoding", "data_checksums", "password_encryption", "timezone")
    ]
    assert shown == ["UTF8", "on", "scram-sha-256", "UTC"]
    locale = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'bellbuoy'"
    assert postgres.psql(locale) == "b|C.UTF-8"
    rules = "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
    assert postgres.psql(rules) == "scram-sha-256"


def test_a_wrong_password_is_refused_over_the_socket_too(postgres: Server) -> None:
    """There is no trust."""
    with pytest.raises(EnvironmentFault, match="password authentication failed"):
        replace(postgres.cluster, password="wrong").psql("SELECT 1")  # noqa: S106  # not one


def test_committed_rows_outlive_a_kill(own_postgres: Server) -> None:
    """Of the server's own process, several times."""
    own_postgres.psql("CREATE TABLE t (n int)")
    for _ in range(3):
        own_postgres.psql("INSERT INTO t VALUES (1)")
        own_postgres.kill()
        own_postgres.start()
    assert own_postgres.psql("SELECT count(*) FROM t") == "3"


@pytest.mark.parametrize("state", ["dead and not reaped", "alive and somebody else"])
def test_a_number_that_is_no_server_does_not_keep_it_from_starting(
    own_postgres: Server, state: str
) -> None:
    """PostgreSQL alone would refuse, as the process belongs to the same user."""
    own_postgres.kill()
    account = own_postgres.cluster.installation.account
    other = subprocess.Popen(["/bin/sleep", "60"], user=account.uid if account else None)
    if state.startswith("dead"):
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    pidfile = own_postgres.cluster.data / "postmaster.pid"
    _, rest = pidfile.read_text().split("\n", 1)
    pidfile.write_text(f"{other.pid}\n{rest}")
    try:
        own_postgres.start()
        assert own_postgres.psql("SELECT 1") == "1"
    finally:
        other.kill()
        other.wait()


def test_the_server_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    """And its directory can be used at once."""
    script = (
        "import os, pathlib, signal, sys\n"
        "from tests.postgres import serve\n"
        "with serve(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environ = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    owner = subprocess.run(
        [sys.executable, "-c", script, tmp_path], env=environ, stdout=subprocess.PIPE, check=False
    )
    pid = int(owner.stdout)
    assert owner.returncode == -signal.SIGKILL
    eventually(lambda: not _runs(pid), "the server's end")
    with runtime.make(tmp_path / "data", None):
        pass  # cleared


def test_a_directory_of_another_major_version_is_refused_with_the_ways_out(
    own_postgres: Server,
) -> None:
    """And left as it is."""
    own_postgres.cluster.require_major()
    own_postgres.stop()
    version = own_postgres.cluster.data / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(EnvironmentFault, match=r"PostgreSQL 16.*PostgreSQL 17") as fault:
        own_postgres.cluster.require_major()
    assert all(way in str(fault.value) for way in ("BUOY_POSTGRES_BIN", "BUOY_DATA_DIR", "remove"))
    version.write_text("17\n")


def test_something_else_in_its_place_is_not_touched(postgres: Server, tmp_path: Path) -> None:
    """An empty directory is nothing."""
    cluster = replace(postgres.cluster, data=tmp_path)
    assert not cluster.exists()
    (tmp_path / "precious").touch()
    with pytest.raises(EnvironmentFault, match="is not empty"):
        cluster.exists()


def test_it_runs_below_a_long_path_with_spaces_that_is_closed_to_others(tmp_path: Path) -> None:
    """Longer than a socket's path may be."""
    closed = tmp_path / "it is closed"
    closed.mkdir(mode=0o700)
    with serve(closed.joinpath(*["a long name"] * 20)) as server:
        assert server.psql("SELECT 1") == "1"


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
