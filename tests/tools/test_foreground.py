"""`make run` ends as the program ends, whoever is told to stop it and how."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT
from tests.tools.terminal import PATIENCE, Terminal, terminal

# Says who it is, then ends with its own status once it is asked to. One write a line, because
# make and the echo of the keys write to the same screen.
PROGRAM = """
import os, signal, sys, time
def say(*words):
    os.write(1, (" ".join(map(str, words)) + os.linesep).encode())
def leave(number, frame):
    say("left for", signal.Signals(number).name)
    sys.exit({status})
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, leave)
signal.signal(signal.SIGCONT, lambda number, frame: say("resumed"))
say("up", os.getpid(), "of", os.getppid(), "end")
while True:
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which `make` runs a program that ends with 0, `make three` with 3."""
    python = f"'{sys.executable}'"
    foreground = f"'{ROOT / 'tools' / 'foreground.py'}'"
    recipe = f"@exec {python} {foreground} {python}"
    (tmp_path / "zero.py").write_text(PROGRAM.format(status=0))
    (tmp_path / "three.py").write_text(PROGRAM.format(status=3))
    (tmp_path / "Makefile").write_text(f"zero three:\n\t{recipe} $@.py\n")
    return tmp_path


def pids(screen: Terminal) -> tuple[int, int]:
    """Return the program's pid and its parent's, once it is up."""
    screen.read_until(b"up ")
    program, _, parent, _ = screen.read_until(b" end").split()
    return int(program), int(parent)


def test_make_ends_well_when_the_program_does_after_ctrl_c(folder: Path) -> None:
    """The program alone hears Ctrl-C; make reports its exit status 0."""
    with terminal(["make"], folder) as screen:
        pids(screen)
        screen.type(b"\x03")
        screen.read_until(b"left for SIGINT")
        assert screen.wait() == 0


def test_make_reports_a_failure_after_ctrl_c(folder: Path) -> None:
    """A program that could not end well is not reported as one that did."""
    with terminal(["make", "three"], folder) as screen:
        pids(screen)
        screen.type(b"\x03")
        screen.read_until(b"Error 3")
        assert screen.wait() == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_group_of_make_reaches_the_program(
    folder: Path, number: signal.Signals
) -> None:
    """`kill -INT -GROUP` stops the program; make waits for it, then dies of the signal itself.

    Unless the program, which ends with 0, was quicker than make was to look at its signal.
    """
    with terminal(["make"], folder) as screen:
        pids(screen)
        os.killpg(screen.program.pid, number)
        screen.read_until(b"left for " + number.name.encode())
        assert screen.wait() in {-number, 0}


def test_a_program_without_its_parent_is_asked_to_stop(folder: Path) -> None:
    """`kill -9` of what stands between make and the program leaves nothing running."""
    with terminal(["sh", "-c", "make; exec sleep 60"], folder) as screen:
        _, parent = pids(screen)
        os.kill(parent, signal.SIGKILL)
        screen.read_until(b"left for SIGTERM")


def test_ctrl_z_stops_everything_and_fg_resumes_it(folder: Path) -> None:
    """The shell gets its prompt back, and afterwards Ctrl-C works as before."""
    environment = {**os.environ, "PS1": "$ ", "ENV": ""}
    with terminal(["sh", "-i"], folder, environment) as screen:
        screen.type(b"make\n")
        pids(screen)
        screen.type(b"\x1a")
        screen.read_until(b"Stopped")
        screen.type(b"echo prompt-$((40 + 2))\n")
        screen.read_until(b"prompt-42")
        screen.type(b"fg\n")
        screen.read_until(b"resumed")
        screen.type(b"\x03")
        screen.read_until(b"left for SIGINT")
        screen.type(b"echo status-$?\n")
        screen.read_until(b"status-0")


def test_without_a_terminal_the_program_takes_our_place(folder: Path) -> None:
    """No process is added where nobody can press Ctrl-C."""
    command = [sys.executable, str(ROOT / "tools" / "foreground.py"), sys.executable, "zero.py"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True
    ) as program:
        assert program.stdout
        assert int(program.stdout.readline().split()[1]) == program.pid
        program.terminate()
        assert program.wait(PATIENCE) == 0


def test_a_program_that_does_not_exist_is_named(folder: Path) -> None:
    """The exit status is the shell's for this case, and the terminal is given back."""
    foreground = str(ROOT / "tools" / "foreground.py")
    with terminal([sys.executable, foreground, "./nothing-here"], folder) as screen:
        screen.read_until(b"./nothing-here: No such file or directory")
        assert screen.wait() == 127
