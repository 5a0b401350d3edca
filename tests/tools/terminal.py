"""A terminal that a test types into, and the program in front of it."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# The session's leader takes the terminal as its controlling one, then becomes the program.
LEAD = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
PATIENCE = 30.0


class Terminal:
    """What a person at a terminal does: type, read, wait until the program has ended."""

    def __init__(self, program: subprocess.Popen[bytes], keyboard: int) -> None:
        """Sit down before `program`."""
        self.program = program
        self._keyboard = keyboard
        self._unread = b""

    def type(self, keys: bytes) -> None:
        """Press keys; control keys are bytes below 32, as Ctrl-C is 3."""
        os.write(self._keyboard, keys)

    def read_until(self, text: bytes) -> bytes:
        """Return what the screen shows next, up to and including `text`."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._unread:
            ready, _, _ = select.select([self._keyboard], [], [], deadline - time.monotonic())
            assert ready, f"waited for {text!r}, saw {self._unread!r}"
            self._unread += os.read(self._keyboard, 4096)
        before, _, self._unread = self._unread.partition(text)
        return before + text

    def wait(self) -> int:
        """Return the program's exit status, negative if a signal ended it."""
        return self.program.wait(PATIENCE)


@contextmanager
def terminal(
    command: list[str], cwd: Path, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Start `command` as the leader of a new session on a terminal of its own."""
    keyboard, screen = pty.openpty()
    try:
        program = subprocess.Popen(
            [sys.executable, "-c", LEAD, *command],
            cwd=cwd,
            env=env,
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
        )
        os.close(screen)
        try:
            yield Terminal(program, keyboard)
        finally:
            program.kill()
            program.wait()
    finally:
        os.close(keyboard)
