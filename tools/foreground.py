"""Run a program in the foreground of the terminal, apart from the `make` that started it.

    python tools/foreground.py PROGRAM [ARGUMENT ...]

Ctrl-C reaches every process in the terminal's foreground group. `make` is one of them: it waits
for the program, but then it dies of the signal, whatever the program's own exit status was. So
the program gets a group of its own and the terminal with it, as a shell does for its jobs; make
does not hear the Ctrl-C, and reports how the program ended. What is sent to us instead of the
terminal's group (`kill`, a closed window) is handed on, and Ctrl-Z stops and resumes everything.

Without a terminal, or in its background, the program simply takes this process' place.
"""

import contextlib
import ctypes
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run `command` and return its exit status as a shell would (128 + signal)."""
    terminal = foreground_terminal()
    if terminal is None:
        os.execvp(command[0], command)  # noqa: S606 - the caller's own command, no shell
    # Giving the terminal away and taking it back is done from its background.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    # The child waits until its group has the terminal, and the signals until it can hear them.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON)
    parent, ours = os.getpid(), os.getpgrp()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpid())
        become(command, parent)
    hand_on_signals(child)
    return wait_for(child, terminal, ours)


def foreground_terminal() -> int | None:
    """Return the controlling terminal if this process' group is in its foreground."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    return terminal if os.tcgetpgrp(terminal) == os.getpgrp() else None


def become(command: list[str], parent: int) -> NoReturn:
    """Turn this child into the program, which is told to stop should `parent` be killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_ON)
    if os.getppid() != parent:
        os._exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller's own command, no shell
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    os._exit(127)


def hand_on_signals(child: int) -> None:
    """From now on give `child` the signals that this process gets."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in HANDED_ON:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDED_ON)


def wait_for(child: int, terminal: int, ours: int) -> int:
    """Wait until `child` has ended; when it is stopped, stop with it and resume with it."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        pass_terminal(terminal, giver=child, taker=ours)
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        os.kill(0, signal.SIGTSTP)  # make and this process: the shell sees the job stop
        pass_terminal(terminal, giver=ours, taker=child)
        os.killpg(child, signal.SIGCONT)


def pass_terminal(terminal: int, *, giver: int, taker: int) -> None:
    """Put the group `taker` in the foreground, unless `giver` is not there: the shell's `bg`."""
    with contextlib.suppress(OSError):  # the window was closed
        if os.tcgetpgrp(terminal) == giver:
            os.tcsetpgrp(terminal, taker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
