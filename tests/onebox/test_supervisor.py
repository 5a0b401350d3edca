"""The supervisor: parts end in the opposite order, whatever happened."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from onebox.escalation import Step
from onebox.interruption import Interrupted, StopRequest
from onebox.part import Part
from onebox.process import Command, spawn
from onebox.supervisor import Supervisor
from onebox.waiting import wait_until

STEPS = (Step(signal.SIGTERM, 10.0), Step(signal.SIGKILL, 10.0))
SCRIPT = "trap 'echo {0} >> ends; exit' TERM; echo {0} >> starts; while :; do sleep 0.01; done"


def launcher(name: str, directory: Path) -> Callable[[], subprocess.Popen[bytes]]:
    """Return what starts a part that notes its start and its end."""
    argv = ("/bin/sh", "-c", SCRIPT.format(name))
    command = Command(argv=argv, environ={"PATH": "/usr/bin:/bin"}, directory=directory)
    return lambda: spawn(command)


def lines(path: Path) -> list[str]:
    """Return the lines of a file that may be absent."""
    return path.read_text().split() if path.exists() else []


def test_higher_layers_end_first(tmp_path: Path) -> None:
    """Nobody loses what it stands on."""
    supervisor = Supervisor(StopRequest())
    for name, layer in (("echo", 1), ("database", 0), ("api", 1)):
        supervisor.start(Part(name, launcher(name, tmp_path), STEPS), layer=layer)
    assert wait_until(lambda: len(lines(tmp_path / "starts")) == 3, timeout=10)
    supervisor.close()
    assert lines(tmp_path / "ends")[-1] == "database"
    assert sorted(lines(tmp_path / "ends")) == ["api", "database", "echo"]
    supervisor.close()


def test_watching_restarts_what_died(tmp_path: Path) -> None:
    """All parts are looked at."""
    supervisor = Supervisor(StopRequest())
    started: list[subprocess.Popen[bytes]] = []

    def launch() -> subprocess.Popen[bytes]:
        started.append(launcher("it", tmp_path)())
        return started[-1]

    supervisor.start(Part("it", launch, STEPS), layer=0)
    started[0].kill()
    assert wait_until(lambda: len(started) == 2, timeout=10, watch=supervisor.watch)
    supervisor.close()
    assert all(process.poll() is not None for process in started)


def test_the_operator_is_heard_while_watching() -> None:
    """Before anything is started again."""
    stop = StopRequest()
    supervisor = Supervisor(stop)
    supervisor.watch()
    stop.count = 1
    with pytest.raises(Interrupted):
        supervisor.watch()
