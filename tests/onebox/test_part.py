"""A part: started, missed when it dies, given up in the end."""

import signal
import subprocess

import psutil
import pytest

from bellbuoy.errors import EnvironmentFault
from onebox.escalation import Step
from onebox.part import Part
from onebox.process import Command, spawn
from tests.onebox.running import eventually
from tests.onebox.test_process import is_alive

STEPS = (Step(signal.SIGTERM, 10.0), Step(signal.SIGKILL, 10.0))


class Launcher:
    """Starts a shell script each time and remembers what it started."""

    def __init__(self, script: str) -> None:
        """Nothing started yet."""
        self.script = script
        self.started: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> subprocess.Popen[bytes]:
        """Start it."""
        command = Command(argv=("/bin/sh", "-c", self.script), environ={"PATH": "/usr/bin:/bin"})
        self.started.append(spawn(command))
        return self.started[-1]


def test_a_part_that_dies_comes_back_after_its_delay() -> None:
    """And not before."""
    now = [0.0]
    launch = Launcher("exec sleep 60")
    part = Part("it", launch, STEPS, clock=lambda: now[0])
    part.tick()
    launch.started[0].kill()
    launch.started[0].wait()
    part.tick()  # notices
    assert part.has_ended()
    now[0] = 0.2
    part.tick()
    assert len(launch.started) == 1
    now[0] = 0.3
    part.tick()
    assert len(launch.started) == 2
    assert not part.has_ended()
    part.pursue(part.escalation(1), 1)
    assert launch.started[1].wait(10) == -signal.SIGTERM


def test_a_part_that_keeps_dying_is_given_up() -> None:
    """With how it ended and what there is to say."""
    now = [0.0]
    launch = Launcher("exit 3")
    part = Part("it", launch, STEPS, explain=lambda: "Because.", clock=lambda: now[0])

    def die() -> None:
        now[0] += 4.0
        part.tick()
        launch.started[-1].wait()
        part.tick()

    for _ in range(5):
        die()
    with pytest.raises(EnvironmentFault, match=r"it died 6 .*exit status 3. Because\."):
        die()


def test_a_part_that_does_not_listen_is_killed() -> None:
    """With all it started."""
    now = [0.0]
    launch = Launcher("trap '' TERM; sleep 60 & wait; sleep 60")
    part = Part("it", launch, STEPS, clock=lambda: now[0])
    part.tick()
    way = part.escalation(presses=1)
    part.pursue(way, presses=1)
    now[0] = 10.0
    part.pursue(way, presses=1)
    eventually(part.has_ended, "its end")
    assert launch.started[0].returncode in {-signal.SIGKILL, -signal.SIGTERM}


def test_a_part_that_was_not_started_has_ended() -> None:
    """Ending it is nothing."""
    part = Part("it", Launcher("exit 0"), STEPS)
    part.pursue(part.escalation(1), 1)
    assert part.has_ended()


def test_a_part_that_refuses_its_settings_is_not_started_again() -> None:
    """Its own exit status says that it would be in vain."""
    launch = Launcher("exit 78")
    part = Part("it", launch, STEPS, explain=lambda: "Because.")
    part.tick()
    launch.started[0].wait()
    with pytest.raises(EnvironmentFault, match=r"it refuses its settings\. Because\."):
        part.tick()
    assert len(launch.started) == 1


def orphaned(part: Part, launch: Launcher) -> int:
    """Start a part, kill its leader and return the number of the child that stays."""
    part.tick()
    eventually(lambda: bool(psutil.Process(launch.started[-1].pid).children()), "the child")
    (child,) = psutil.Process(launch.started[-1].pid).children()
    child.suspend()
    launch.started[-1].kill()
    launch.started[-1].wait()
    part.tick()
    return child.pid


def test_what_a_dead_leader_left_is_killed_before_the_restart() -> None:
    """Not at once: it may be about to leave by itself."""
    now = [0.0]
    launch = Launcher("sleep 60 & wait")
    part = Part("it", launch, STEPS, clock=lambda: now[0])
    child = orphaned(part, launch)
    now[0] = 2.9
    part.tick()
    assert (len(launch.started), is_alive(child)) == (1, True)
    assert not part.has_ended()
    now[0] = 3.0
    part.tick()
    eventually(lambda: not is_alive(child), "the end of what was left")
    part.tick()
    assert len(launch.started) == 2
    part.pursue(part.escalation(1), 1)
    launch.started[1].wait(10)
    now[0] = 6.0
    part.has_ended()  # notices
    now[0] = 10.0
    eventually(part.has_ended, "the end of the second")


def test_what_is_left_is_killed_before_giving_up() -> None:
    """Nobody holds the port when onebox is gone."""
    now = [0.0]
    launch = Launcher("sleep 60 & exit 78")
    part = Part("it", launch, STEPS, clock=lambda: now[0])
    part.tick()
    launch.started[0].wait()
    part.tick()
    now[0] = 3.0

    def gives_up() -> bool:
        try:
            part.tick()
        except EnvironmentFault:
            return True
        return False

    eventually(gives_up, "giving up")
    assert part.has_ended()
