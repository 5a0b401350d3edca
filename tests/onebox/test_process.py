"""Processes: they end with us, in a session of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bellbuoy.errors import EnvironmentFault
from onebox import process
from onebox.account import Account
from onebox.process import Command
from tests.onebox.running import eventually

SLEEP = ("/bin/sleep", "60")
ORPHAN = """
import os, signal
from onebox.process import Command, spawn
child = spawn(Command(argv=("/bin/sleep", "60"), environ={}))
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_has_its_own_session_and_environment() -> None:
    """Ctrl-C in our terminal does not reach it."""
    child = process.spawn(Command(argv=SLEEP, environ={"A": "1"}))
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        process.end(child)
    assert child.returncode == -signal.SIGTERM


def test_a_child_ends_when_we_are_killed() -> None:
    """The kernel sees to it."""
    environ = os.environ | {"PYTHONPATH": ":".join(sys.path)}
    parent = subprocess.run(
        [sys.executable, "-c", ORPHAN], env=environ, stdout=subprocess.PIPE, check=False
    )
    child = int(parent.stdout)
    eventually(lambda: not is_alive(child), f"the end of {child}")


@pytest.mark.skipif(os.geteuid() != 0, reason="changes user")
def test_a_child_can_run_as_somebody_else() -> None:
    """With none of our groups."""
    command = Command(argv=("/usr/bin/id",), environ={}, account=Account(54_321, 54_322))
    child = process.spawn(command, stdout=subprocess.PIPE)
    output, _ = child.communicate(timeout=10)
    assert output.split() == [b"uid=54321", b"gid=54322", b"groups=54322"]


def test_a_program_that_is_not_there_is_explained() -> None:
    """With its path."""
    with pytest.raises(EnvironmentFault, match="cannot start /nowhere/x"):
        process.spawn(Command(argv=("/nowhere/x",), environ={}))


def test_a_job_gives_its_status() -> None:
    """Whatever it is."""
    assert process.complete(Command(argv=("/bin/sh", "-c", "exit 3"), environ={}), timeout=10) == 3


def test_a_job_that_takes_too_long_is_ended() -> None:
    """And said to have."""
    with pytest.raises(EnvironmentFault, match="did not end within 0 s"):
        process.complete(Command(argv=SLEEP, environ={}), timeout=0.05)


def test_a_job_is_ended_when_the_watch_raises() -> None:
    """The operator does not wait for it."""
    seen: list[int] = []

    def watch() -> None:
        if seen:
            raise InterruptedError
        seen.append(1)

    with pytest.raises(InterruptedError):
        process.complete(Command(argv=SLEEP, environ={}), timeout=10, watch=watch)


def test_killing_a_session_takes_its_children_along() -> None:
    """A supervisor that hangs does not leave workers."""
    script = "sleep 60 & echo $!; wait"
    child = process.spawn(
        Command(argv=("/bin/sh", "-c", script), environ={"PATH": "/usr/bin:/bin"}),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout as output:
        grandchild = int(output.readline())
    process.kill_session(child)
    assert child.wait(10) == -signal.SIGKILL
    eventually(lambda: not is_alive(grandchild), "the grandchild's end")
    process.kill_session(child)  # and again does nothing
