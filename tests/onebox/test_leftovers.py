"""Leftovers: what a dead leader left is found, waited for, and killed; nothing else is."""

import subprocess
from collections.abc import Iterator

import psutil
import pytest

from onebox.leftovers import GRACE, Leftovers
from onebox.process import Command, spawn
from tests.onebox.running import eventually
from tests.onebox.test_process import is_alive

SCRIPT = "sleep 60 & echo $!; wait"


@pytest.fixture
def orphan() -> Iterator[tuple[int, int]]:
    """The number of a session whose leader was killed, and of the child that it left."""
    command = Command(argv=("/bin/sh", "-c", SCRIPT), environ={"PATH": "/usr/bin:/bin"})
    leader = spawn(command, stdout=subprocess.PIPE)
    assert leader.stdout is not None
    with leader.stdout as output:
        child = psutil.Process(int(output.readline()))
    leader.kill()
    leader.wait()
    yield leader.pid, child.pid
    if child.is_running():
        child.kill()


def test_who_leaves_by_itself_is_only_waited_for(orphan: tuple[int, int]) -> None:
    """A draining worker is not cut."""
    session, child = orphan
    left = Leftovers(session, now=0.0)
    assert not left.are_gone(GRACE - 0.1)
    assert is_alive(child)
    psutil.Process(child).terminate()
    eventually(lambda: left.are_gone(GRACE - 0.1), "its own end")


def test_who_stays_is_killed(orphan: tuple[int, int]) -> None:
    """Also when it is stopped, and asked nothing any more."""
    session, child = orphan
    psutil.Process(child).suspend()
    left = Leftovers(session, now=0.0)
    left.are_gone(GRACE)
    eventually(lambda: left.are_gone(GRACE), "the end")
    assert not is_alive(child)


def test_nobody_of_another_session_is_touched() -> None:
    """Whatever it is a child of."""
    other = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        assert Leftovers(2**22, now=0.0).are_gone(GRACE)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_who_got_the_number_of_one_that_ended_is_not_touched(
    orphan: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It started at another time."""
    session, child = orphan
    left = Leftovers(session, now=0.0)
    monkeypatch.setattr(psutil.Process, "is_running", lambda _: False)
    assert left.are_gone(GRACE)
    assert is_alive(child)
