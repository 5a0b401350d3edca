"""postmaster.pid: believed while it is true."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import postmaster

SLEEP = Path("/bin/sleep").resolve()


def write(data: Path, pid: int, started: float = 0.0, status: str = "ready   ") -> None:
    """Write postmaster.pid as a server does."""
    lines = [pid, data, int(started), 5432, "/tmp/x", "", " 1  2", status]  # noqa: S108  # a text
    (data / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")


@contextmanager
def process(name: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run something of that name in that directory."""
    (directory / name).symlink_to(SLEEP)
    child = subprocess.Popen([directory / name, "60"], cwd=directory)
    try:
        # Between fork and exec it still has our name.
        while psutil.Process(child.pid).name() != name:
            time.sleep(0.001)
        yield child
    finally:
        child.kill()
        child.wait()


def read(data: Path) -> postmaster.Postmaster:
    """Read what is there."""
    found = postmaster.read(data)
    assert found is not None
    return found


def test_nothing_and_half_of_it_are_none(tmp_path: Path) -> None:
    """A server that just starts writes line by line."""
    assert postmaster.read(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text("12\n/data\n")
    assert postmaster.read(tmp_path) is None


def test_ready_is_what_the_server_says(tmp_path: Path) -> None:
    """And not what it is on the way to."""
    write(tmp_path, 1)
    assert read(tmp_path).is_ready
    write(tmp_path, 1, status="starting")
    assert not read(tmp_path).is_ready


def test_a_server_on_this_directory_is_alive(tmp_path: Path) -> None:
    """On another one it is not ours."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with process("postgres", tmp_path) as child:
        write(tmp_path, child.pid)
        assert read(tmp_path).is_alive(tmp_path)
        assert not read(tmp_path).is_alive(elsewhere)


def test_a_number_that_went_to_somebody_else_is_no_server(tmp_path: Path) -> None:
    """Though PostgreSQL would think so."""
    with process("other", tmp_path) as child:
        write(tmp_path, child.pid)
        assert not read(tmp_path).is_alive(tmp_path)
        assert read(tmp_path).blocks
    assert not read(tmp_path).blocks


def test_a_zombie_is_no_server(tmp_path: Path) -> None:
    """Though its number exists."""
    with process("postgres", tmp_path) as child:
        write(tmp_path, child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not read(tmp_path).is_alive(tmp_path)
        assert read(tmp_path).blocks


def test_where_directories_are_secret_the_start_time_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root in a container may not see where the processes of others live."""

    def refuse(self: psutil.Process) -> str:
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "cwd", refuse)
    with process("postgres", tmp_path) as child:
        started = psutil.Process(child.pid).create_time()
        write(tmp_path, child.pid, started)
        assert read(tmp_path).is_alive(tmp_path)
        write(tmp_path, child.pid, started - 60)
        assert not read(tmp_path).is_alive(tmp_path)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        write(tmp_path, child.pid, started)
        assert not read(tmp_path).is_alive(tmp_path)


def test_a_server_whose_owner_was_killed_is_waited_for(tmp_path: Path) -> None:
    """It is asked to end only when it does not."""
    postmaster.evict(tmp_path)
    with process("postgres", tmp_path) as child:
        write(tmp_path, child.pid)
        looks: list[int] = []

        def watch() -> None:
            looks.append(1)
            if len(looks) == 3:
                child.kill()

        postmaster.evict(tmp_path, watch)
        assert len(looks) >= 3


@pytest.mark.slow
def test_a_server_that_stays_is_asked_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way out."""
    monkeypatch.setattr(postmaster, "_EVICTION_SECONDS", 3.0)  # a busy machine needs some to die
    with process("postgres", tmp_path) as child:
        write(tmp_path, child.pid)
        postmaster.evict(tmp_path)
        assert child.wait(10) == -signal.SIGINT
    (tmp_path / "deaf").mkdir()
    monkeypatch.setattr(postmaster, "_EVICTION_SECONDS", 0.1)
    with process("postgres", tmp_path / "deaf") as child:
        write(tmp_path / "deaf", child.pid)
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda *_: None)
            with pytest.raises(EnvironmentFault, match="kill -QUIT"):
                postmaster.evict(tmp_path / "deaf")
